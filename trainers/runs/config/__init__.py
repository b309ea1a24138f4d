"""The configuration of a run of training.

values.py       the kinds of values that keys take
sections.py     the sections and their keys, each with its default and where the default comes from
old_names.py    keys of other trainers, and what is written here in their place
consistency.py  what several keys say together
read.py         the YAML file, and the values that are set beside it
page.py         the reference page of the keys
"""
