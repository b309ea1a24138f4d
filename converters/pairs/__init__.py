"""Pairs of a chosen and a rejected answer, as an export of the view `preference` composes them.

quota.py    how many pairs of each dimension, and which
report.py   what an export says of its pairs: dimensions, shortages, lengths
"""
