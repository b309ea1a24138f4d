"""Supervised fine-tuning: conversations to inputs, labels and a loss.

cross_entropy.py  the loss: over the tokens of answers
"""
