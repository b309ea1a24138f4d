"""Annotation tables next to media files: the reader that most cards use.

reader.py         the card's options, and the matching of tables and media
options.py        the options, checked and compiled
table.py          one table of a card, and which of its files have arrived
tables.py         the tables of a corpus: formats, compression, CSV options
gather.py         all rows of a table as one
nested_rows.py    expand a nested record to rows
embedded.py       media inside Parquet files
index.py          on-disk index of rows by their media, and of waiting media
namesakes.py      files of one name in several places of a folder
rows_of_media.py  which rows a media file belongs to
samples.py        turn rows into candidates
"""
