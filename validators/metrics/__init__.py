"""Measures of a text against a reference.

edits.py   edit distance of words or characters: substitutions, deletions, insertions; error rates
vote.py    self-consistency: the final answer that most of several answers give, and what the vote is worth
"""
