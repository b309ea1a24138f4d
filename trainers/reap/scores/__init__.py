"""What each expert does on calibration rows.

moe_layers.py        the layers of a model that have experts
capture.py           what each expert did in a forward pass, seen while it runs
expert_sums.py       sums of that, by stratum of rows; parts add up
export_command.py    what to type for rows of a modality
calibration.py       the rows: of exports of the view `calibration`, of other conversations, of files
calibration_rows.py  which rows those are, so that what pruning costs is measured on others
measure.py           one pass over the rows, which goes on where it was stopped
masks.py             a model as if experts were pruned
"""
