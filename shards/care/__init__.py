"""Maintenance of a store.

care.py      status, compaction, garbage collection, refresh
removal.py   withdrawal of samples, with tombstones and receipts
"""
