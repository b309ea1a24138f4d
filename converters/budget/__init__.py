"""Budgets of an export: how long its rows may be, and what they are in a model.

limits.py   the limits of a request
windows.py  several rows of a recording that is too long
turns.py    the conversations of a row, whatever its form
rows.py     the table `budget`: tokens, frames and seconds of each row; what is told of them
"""
