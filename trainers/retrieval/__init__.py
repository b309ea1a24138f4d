"""Term retrieval: which terms of a glossary a clip of speech names.

loss.py            what is minimised: which sound says which text, and names which terms
metrics.py         recall of terms that training has had and of others, and what is said where no term is
encoders.py        speech and text as one vector each
sonar.py           SONAR's encoder of speech, where its package is there
given.py           what the model is given of clips and texts
model.py           what is trained: projections to one space, and encoders
trained_parts.py   layers of encoders that are trained, and adapters
config.py          the configuration of a run
term_rows.py       chunks around terms as they are published
row_vectors.py     the vectors of all clips and texts of a run before its first step
clip_steps.py      the steps of a run: which clips are told apart
glossary_index.py  search among the terms of a glossary
hard_negatives.py  near terms, looked for in an index that is made again as training goes
scores.py          scores on held-out clips
scores_page.py     the page of them, with the sweep of thresholds: `scores.html`
prepare.py         a run before its first step
preflight.py       what a run would be (`--dry-run`)
long_sound.py      the terms of a recording, window by window
retriever.py       all of it in a folder: what a run hands on
result.py          what came of a run
train.py           a run, and the control beside it
options.py         the options of `triptych retrieve`
calls.py           `triptych.train_contrastive` and `triptych.retrieve`
"""
