"""Published versions of views.

versions.py     publishing, listing, finding and verifying versions
jsonl.py        rows as JSON Lines
difference.py   what differs between two versions
scratch.py      temporary folders of versions in the making
copies.py       relocating and packing a version
"""
