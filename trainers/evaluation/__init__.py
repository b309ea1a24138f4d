"""What models answered, beside what is right.

predictions.py   files of predictions: the answer of a model to each row that it was asked
scores.py        what an evaluation finds, and the folder that it writes
intervals.py     bootstrap intervals, and the paired bootstrap
"""
