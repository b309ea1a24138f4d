"""A function over the parts of a table.

engine.py   runs the parts, in this process or in several
worker.py   what a worker process runs
"""
