"""Published versions of views.

versions.py   list, find, verify, compare and publish versions
copies.py     relocate and pack a version
"""
