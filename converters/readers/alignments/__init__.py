"""Readers for word and phone alignments of samples that are already stored.

interval.py      the output of alignment readers: intervals by tier, under names yet to be matched
textgrid.py      Praat TextGrids
ctm.py           CTM files
aligner_json.py  the JSON of MFA, whisperX, Gentle, aeneas and others
librispeech.py   LibriSpeech Alignments
"""
