"""Layouts of corpora, a reader each.

folder.py        a plain folder, with a .txt beside each clip
sidecar.py       a .json beside each clip
transcripts.py   trees with transcript files: LibriSpeech, AISHELL
timit.py         TIMIT
lrs.py           LRS2 and LRS3
parquet.py       Parquet files with the media in a column
spool.py         media that waits for its text
"""
