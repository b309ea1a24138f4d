"""The card format: one YAML file that describes one dataset.

card.py      the dataset: splits, configurations, licence, gate, sources
promises.py  what every sample of a split has
source.py    one source: where it is, its checksums, its reader
files.py     which files a source opens, for which splits and configurations
facts.py     what a card states, fact by fact, and where each was seen
lint.py      load a card file: the card, or every problem with its line
"""
