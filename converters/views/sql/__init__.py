"""SQL as trees: what a request does not use is left out of its statement before DuckDB sees it.

syntax.py   SELECTs as DuckDB parses them, read and written
fold.py     decide what constants decide
prune.py    leave out columns and tables that nobody reads
"""
