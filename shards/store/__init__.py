"""A store on disk: Delta tables and the code that reads and writes them.

store.py           a store: creating, opening, committing
tables.py          the schemas of the six tables
rows_to_arrow.py   rows as Arrow tables
lock.py            locks that record their holder
snapshot.py        a read-only view of a store that opens each table once
annotations.py     SQL that applies later facts to the samples
sql.py             SQL quoting, and the first row of a result
views.py           the SQL that reads the tables
"""
