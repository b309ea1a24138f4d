"""What a retriever learns by.

loss.py            which sound says which text, and names which terms
hard_negatives.py  near terms, looked for in an index that is made again as training goes
clip_steps.py      the steps of a run: which clips are told apart
"""
