"""How a card maps the columns of a corpus.

option_types.py    the types of a card's options
field_map.py       the mapping language: columns to fields of the sample
operations.py      operations on values
choices.py         choices with letters, and prompts that list them
text_template.py   text built from a row
path_template.py   parts of a path
row_rules.py       ids, splits, configurations, rejected rows
class_labels.py    names of class numbers
"""
