"""From candidates to rows in the store, and from rows to files in other tools' formats.

candidate.py    raw files, candidates, rejections: the types that all readers share
spans.py        what a sample is of its media: a span, a channel
row_options.py  values of the options that views, export and convert share
files/          what a run may read: the files of folders, and those that rows name
readers/        one reader for each raw layout, which turns its files into candidates
ingest/         the loop that writes candidates to a store
imports/        a user's own tables, manifests and alignments, through readers and ingest
annotations/    what is later found or decided about stored samples: word times, splits
views/          output formats, one SELECT each
budget/         what rows are in a model, and which are too long for it
composition/    in which proportion an export takes samples
features/       spectrograms and hidden states, in shards
pairs/          how many pairs of each dimension an export has
export/         publish a view of a store as a version
versions/       published versions made again, collected, pushed to a hub
convert/        file to file, without a store
"""
