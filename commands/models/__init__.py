"""Commands about models: what they answer, and what that is worth.

evaluate.py   `evaluate`: predictions beside what is right
"""
