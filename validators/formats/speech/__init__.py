"""Formats of parts of speech.

phoneme.py       phones of utterances as conversations
term_chunks.py   parts of utterances that name terms
"""
