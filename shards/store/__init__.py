"""A store on disk: Delta tables and what reads and writes them.

store.py           a store: created, opened, committed to
tables.py          the schemas of its six tables
rows_to_arrow.py   rows as Arrow tables
lock.py            locks that name their holder
snapshot.py        a store as it is at one moment, each table opened once
annotations.py     later facts, laid over the samples as SQL
sql.py             quoting, and first rows of results
views.py           the SQL that reads the tables
"""
