"""Chains of thought: the form of one, and rows that have one.

chain.py          the chain of thought in an answer: its tags and sections, choices, what a template leaves of it
cot_messages.py   conversations whose last answer has a chain
cot_json.py       question, chain and answer apart
"""
