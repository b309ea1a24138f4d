"""Corpus layouts, with one reader each.

folder.py        a plain folder, with a .txt file next to each clip
sidecar.py       a .json file next to each clip
transcripts.py   trees with transcript files: LibriSpeech, AISHELL
timit.py         TIMIT
lrs.py           LRS2 and LRS3
parquet.py       Parquet files with media in a column
spool.py         media waiting for its text
"""
