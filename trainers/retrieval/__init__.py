"""Term retrieval: which terms of a glossary a clip of speech names.

loss.py      what is minimised: which sound says which text, and names which terms
metrics.py   recall of terms that training has had and of others, and what is said where no term is
"""
