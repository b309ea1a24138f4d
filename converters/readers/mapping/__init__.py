"""What a card says of the columns of a corpus.

field_map.py       columns to fields of the sample: the language
operations.py      what may be done to a value on its way
text_template.py   text made from a row
path_template.py   parts of a path
row_rules.py       ids, splits, configurations, rows that are refused
class_labels.py    names behind class numbers
"""
