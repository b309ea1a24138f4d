"""Tables of annotations beside media files: the reader of most cards.

reader.py        the card's options, and how tables and media meet
options.py       the options, checked and compiled
tables.py        a corpus's tables: formats, packing, CSV options
nested_rows.py   one nested record as rows
embedded.py      media that lies inside Parquet files
index.py         rows by their media, on disk; media that waits
samples.py       rows as candidates
"""
