"""Direct preference optimisation (DPO): of two answers to the same sound, the preferred one is made more likely.

config.py          the configuration: that of every run, with the section `dpo`
pair_encoder.py    rows with two answers to inputs: both sides in one batch
loss.py            log-probabilities of answers, and the loss of pairs
preferences.py     the loss as a run minimises it; margins and accuracy by dimension
shared_towers.py  one pass of what hears and sees for both sides
reference.py       what the model said of each pair before its first step
train.py           all of it as a recipe of a run
calls.py           `triptych.train_dpo`
"""
