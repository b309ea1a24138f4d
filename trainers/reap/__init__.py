"""Pruning of experts by what they do on calibration rows (REAP, arXiv 2510.13999).

moe_layers.py    the layers of a model that have experts
capture.py       what each expert did in a forward pass, seen while it runs
expert_sums.py   sums of that, by stratum of rows; parts add up
calibration.py   the rows: of exports of the view `calibration`, of other conversations, of files
measure.py       one pass over the rows, which goes on where it was stopped
criteria.py      scores from sums, and which experts are kept
masks.py         a model as if experts were pruned
coverage.py      what the rows told about the experts, and what they did not
cost.py          what pruning costs: perplexity by modality, scores on exports
slices.py        the files of a model without the experts that are pruned
prune.py         all of it, in order
page.py          the report as a page: `page.html`, `page.css`
options.py       the options of `prune`
calls.py         `triptych.prune`
"""
