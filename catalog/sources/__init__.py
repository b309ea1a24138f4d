"""Where raw files come from.

download/   files from hosts: whole, as a stream, by ranges
hub.py      files of a dataset on the Hugging Face hub
folder.py   an unpacked folder
archives/   tar, zip and 7z as streams of raw files
clips/      media that a table names, fetched clip by clip
synthetic/  corpora made on the spot
"""
