"""Choosing samples: which candidates of a dataset a pull takes.

options.py  `Subset`: what can be asked for, checked
id_list.py  `IdList`: a file of ids, with spans where it has them
where.py    `Expression`: one SQL expression over what is known before any media is read
filter.py   `Filter`: the stage between reader and store; a candidate passes or is counted as filtered
sample.py   `Listing` and `Draw`: which N of all candidates, by hash and stratum
"""
