"""Import your own data into a store, without a card: `triptych import`.

options.py         `ImportOptions`
import_data.py     one import from end to end
formats.py         the supported formats, and the options of each
columns.py         map the columns of a table to the fields of a sample
input_files.py     the files of a folder that a reader gets
shard_patterns.py  `train-{000000..000146}.tar`
split_names.py     `train-000.tar` beside `test-000.tar`: the splits that the names of files say
match_samples.py   find the stored sample that an alignment belongs to
earlier_rows.py    rows stored from the same input earlier: those no longer in it, and values that annotations override
alignments.py      add word and phone alignments to stored samples
predictions.py     add a model's wrong answers to stored samples, which makes pairs
"""
