"""Rows for calibration: an order whose prefixes are balanced by tokens, as the view `calibration` has it.

order.py    the order, and which rows of it are taken
report.py   what a version promises of its strata, and what is told of them
"""
