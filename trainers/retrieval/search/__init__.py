"""Search for the terms of recordings.

glossary_file.py   a glossary of one's own
glossary_index.py  the terms of a glossary, to be searched
long_sound.py      the terms of a recording, window by window
retriever.py       encoders, projections and index in a folder: what a run hands on
"""
