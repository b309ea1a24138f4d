"""Pruning of experts by what they do on calibration rows (REAP, arXiv 2510.13999).

refusals.py  what is refused before anything is measured
scores/      what each expert does on calibration rows
criteria.py  scores from sums, and which experts are kept
report/      what the rows told, what each modality needs, what pruning costs
files/       the model without the experts that are pruned
manifest.py  what was pruned and why
card.py      the same for people: the model card
prune.py     all of it, in order
options.py   the options of `prune`
calls.py     `triptych.prune`
"""
