"""The configuration of a run of training.

values.py     the kinds of values that keys take
sections.py   the sections and their keys, each with its default and where the default comes from
"""
