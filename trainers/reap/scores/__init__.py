"""What each expert does on calibration rows.

moe_layers.py   the layers of a model that have experts
capture.py      what each expert did in a forward pass, seen while it runs
expert_sums.py  sums of that, by stratum of rows; parts add up
calibration.py  the rows: of exports of the view `calibration`, of other conversations, of files
measure.py      one pass over the rows, which goes on where it was stopped
masks.py        a model as if experts were pruned
"""
