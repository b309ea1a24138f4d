"""Which of the selected samples an export takes, and in which proportion.

options.py  all options, and the order in which they apply
compose.py  the choice of samples, in SQL
fill.py     until every sample that is taken has a row
classes.py  the fields by which samples are composed
balanced_order.py   an order of rows whose every prefix is balanced by tokens
quota.py    how much is taken of each part
recipe.py   one YAML file that says all of an export
shares.py   shares of names, and whole numbers in their proportion
"""
