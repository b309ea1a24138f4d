"""Sample selection: which candidates of a dataset a pull takes.

options.py  `Subset`: the selection options, checked
id_list.py  `IdList`: a file of ids, optionally with spans
where.py    `Expression`: an SQL expression over the columns known before any media is read
span.py     a listed span of a candidate
filter.py   `Filter`: the stage between reader and store; a candidate passes or is counted as filtered
sample.py   `Listing` and `Draw`: which N of all candidates, by hash and stratum
"""
