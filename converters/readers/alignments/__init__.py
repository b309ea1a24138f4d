"""Alignments of words and phones, laid over samples that are stored already.

interval.py   what readers of alignments give: intervals by tier, under names that are still to be matched
textgrid.py   Praat TextGrids
ctm.py        CTM files
"""
