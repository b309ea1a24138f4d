"""What a run hands on: a model folder with what was learned in its weights.

layouts.py    where each weight lies in the files of a base model
changes.py    what a checkpoint changes: new weights, and what adapters add
merge.py      the base's files with the changed weights in them
options.py    the options of `train export`
calls.py      `triptych.train_export`
equality.py   the merged model says what the base with its adapters says
"""
