"""`align`: word and phone times of stored samples, from an aligner.

options.py      all options
aligner.py      the interface of aligners, and the list of them
transcript.py   the words of a transcript as a dictionary has them, and their times in its own spelling
sphinx.py       PocketSphinx, which works offline
mfa.py          the Montreal Forced Aligner, an external program
clips.py        samples as clips, and clips through an aligner, in worker processes
align.py        the whole command: choose, align, annotate, account
"""
