"""Published versions of views.

versions.py     publishing, listing, finding and verifying versions
keys.py         the version that an equal request made
sql_views.py    published versions as views for queries
rows.py         rows as Python values
media_places.py where rows name media: columns, parts of messages, texts
jsonl.py        rows as JSON Lines
difference.py   what differs between two versions
scratch.py      temporary folders of versions in the making
gone.py         versions whose rows were deleted
collection.py   rows that were deleted because they can be made again
copies.py       relocating and packing a version
"""
