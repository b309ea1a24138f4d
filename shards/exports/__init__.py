"""Published versions of views.

versions.py     publishing, listing, finding and verifying versions
difference.py   what differs between two versions
scratch.py      temporary folders of versions in the making
copies.py       relocating and packing a version
"""
