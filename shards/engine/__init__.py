"""Applying a function to the parts of a table.

engine.py   processes the parts, in this process or in several
worker.py   the code of a worker process
"""
