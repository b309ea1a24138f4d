"""Trainers read published exports only; imports from floors 0 to 2.

data/   reading exports
"""
