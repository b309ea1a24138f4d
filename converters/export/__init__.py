"""A view of a store, published as a version that never changes.

options.py      what may be asked for, field by field
export.py       `triptych export` from top to bottom
request.py      what was asked for, with its identity
select.py       which samples
cut_media.py    media that a view needs and no corpus holds as a file
render.py       rows written, and their Parquet twin
manifest.py     what a version says of itself
"""
