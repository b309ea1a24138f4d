"""Measures of a text against a reference.

edits.py   edit distance of words or characters: substitutions, deletions, insertions; error rates
"""
