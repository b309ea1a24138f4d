"""Training on what was published, and on nothing else.

exports.py    published, verified versions of exports, as rows in order, batches, or a Hugging Face dataset
"""
