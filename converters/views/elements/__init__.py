"""The building blocks of the rows of views, in SQL: read `macros.sql`, then `prepared.sql`.

macros.py      the macros of macros.sql that a request needs, with its options decided
macros.sql     macros that views may use too: `not_blank`, `clean_text`, `turn` ...
prepared.sql   the relation `prepared` that every view selects from: a sample's columns and derived elements
why_no_row.py  what their reason codes mean, and what to do
json_texts.py  columns of messages, with texts that a loader would take for JSON as parts
"""
