"""Commands about models: what they answer, and what that is worth.

infer.py      `infer`: ask a model
evaluate.py   `evaluate`: predictions beside what is right
"""
