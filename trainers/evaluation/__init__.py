"""What models answered, beside what is right.

predictions.py   files of predictions: the answer of a model to each row that it was asked
"""
