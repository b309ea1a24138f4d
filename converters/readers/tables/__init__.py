"""Stream tables the same way for cards, imports, training files and interchange formats.

cells.py           rows and cells: null, numbers, text, spans, names, media
csv.py             CSV and TSV: quoting, encodings
json.py            JSON Lines and JSON
stm.py             segment time marks
parquet.py         Parquet, with class labels replaced by their names
arrow_rows.py      rows of Arrow batches: maps
array_sound.py     sound that a table holds as its samples
object_lists.py    lists of objects, also stored as an object of lists
absent_files.py    tables that name files which are not there
span_names.py      columns whose names state a start, an end, a length or a channel
stated_span.py     the span and the channel that the columns of a row state
nested_columns.py  columns inside columns, by dotted paths
made_ids.py        ids for rows that have none
user_table.py      a user's table: its format, and its rows as candidates
"""
