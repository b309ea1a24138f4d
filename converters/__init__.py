"""From candidates to rows, and from rows to files that others read.

candidate.py    raw files, candidates, rejections: the one vocabulary of all readers
row_options.py  values of the options that views, export and convert share
readers/        one raw layout each, turned into candidates
ingest/         the one loop that takes candidates into a store
imports/        a user's own tables, manifests and alignments, through readers and ingest
views/          the formats of consumers, one SELECT each
templates/      prompts, in `prompts.yaml`
export/         a view of a store, published as a version
convert/        file to file, without a store
"""
