"""Published versions of views.

versions.py   publishing, listing, finding, verifying and comparing versions
copies.py     relocating and packing a version
"""
