"""Term retrieval: which terms of a glossary a clip of speech names.

loss.py            what is minimised: which sound says which text, and names which terms
metrics.py         recall of terms that training has had and of others, and what is said where no term is
encoders.py        speech and text as one vector each, of encoders that are not trained
projections.py     what is trained: from these vectors to one space
config.py          the configuration of a run
term_rows.py       chunks around terms as they are published
row_vectors.py     the vectors of all clips and texts of a run, made once
clip_steps.py      the steps of a run: which clips are told apart
scores.py          scores on held-out clips
glossary_index.py  search among the terms of a glossary
retriever.py       all of it in a folder: what a run hands on
train.py           a run
options.py         the options of `triptych retrieve`
calls.py           `triptych.train_contrastive` and `triptych.retrieve`
"""
