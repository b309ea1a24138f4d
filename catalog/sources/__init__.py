"""Where raw files come from.

download/   files over HTTP: whole, as a stream, or by range requests
hub.py      files of a dataset on the Hugging Face Hub
folder.py   an unpacked folder
archives/   tar, zip and 7z as streams of raw files
clips/      media referenced by a table, fetched clip by clip
synthetic/  corpora generated from a seed
"""
