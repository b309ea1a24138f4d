"""File to file without a store: `triptych convert`.

`samples.py` reads any format that `import` reads into samples, `rows.py` makes rows of a view of them and holds the
format's rules against each, `output.py` writes them, `run.py` puts the three together; `plain.py` merges and splits
files of rows as they are. Memory is flat but for 16 bytes a row, by which repeated ids are found.

An input is never written to; an output is written under a temporary name and renamed when it is whole. A row that has
no place in the output is a `Problem` with file and line.
"""
