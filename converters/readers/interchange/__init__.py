"""Readers of the formats in which the field's own tools keep and exchange corpora.

Each turns its format into `Row`s (or, for alignments, into `Aligned` items); `readers.table` makes candidates of rows,
so that maps, spans, paths and bad values mean the same everywhere. Nothing here runs a command or unpickles.
"""
