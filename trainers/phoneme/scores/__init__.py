"""How well phones were heard, and said.

phone_errors.py   the phone error rate of a run while it goes on
pronunciation.py  scores of a pronunciation, from an alignment
"""
