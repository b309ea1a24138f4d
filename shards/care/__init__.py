"""Maintenance of a store.

care.py      status, compaction, garbage collection
removal.py   withdrawal of samples, with tombstones and receipts
"""
