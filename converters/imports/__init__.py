"""Your own data into a store, without a card: `triptych import`.

options.py         `ImportOptions`
import_data.py     one import from end to end
formats.py         the formats there are, and what each takes
columns.py         which field of a sample a column fills
shard_patterns.py  `train-{000000..000146}.tar`
match_samples.py   which stored sample an alignment is of
alignments.py      word and phone alignments, laid over samples
"""
