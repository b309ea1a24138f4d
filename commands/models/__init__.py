"""Commands about models: what they answer, and what that is worth.

review.py   `review make` and `review read`: what people say of drawn rows
"""
