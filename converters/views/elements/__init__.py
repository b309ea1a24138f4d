"""What the rows of views are made of, in SQL: read `macros.sql`, then `prepared.sql`.

macros.sql     named expressions that views may use too: `not_blank`, `clean_text`, `first_of` ...
prepared.sql   the relation `prepared` that every view selects from: a sample's columns and its elements
"""
