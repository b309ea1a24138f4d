"""Term retrieval: which terms of a glossary a clip of speech names.

config.py     the configuration of a run
term_rows.py  chunks around terms as they are published
model/        what is trained: encoders of speech and text, and projections to one space
objective/    what is minimised, and the steps in which it is
scores/       recall, rejection, and the page of them
search/       the terms of recordings: the index of a glossary, long sound, what a run hands on
prepare.py    a run before its first step
result.py     what came of a run, or of a look at one
preflight.py  what a run would be (`--dry-run`)
train.py      a run, and the control beside it
options.py    the options of `triptych retrieve`
calls.py      `triptych.train_contrastive` and `triptych.retrieve`
"""
