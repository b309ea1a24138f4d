"""What a card may say: one YAML file that describes one dataset.

card.py    the dataset: splits, configurations, licence, gate, sources
source.py  one source: a place, its sums, its reader
files.py   which files a source opens, for which splits and configurations
lint.py    reading a card file: the card, or every problem with its line
"""
