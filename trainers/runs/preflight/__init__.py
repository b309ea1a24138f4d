"""The preflight of a run (`--dry-run`): everything is loaded as the run would load it, and nothing is trained.

findings.py   errors, and warnings with what to do
report.py     what a preflight tells
rows.py       rows as the model reads them: which tokens are trained, which stand for media
audio_gap.py  whether sound reaches the loss: each text with its own clip and with another row's
memory.py     what a step takes: counted, estimated, measured
step_time.py  a few steps as the run makes them, after which every weight is as before
overlap.py    rows and media that are trained on and measured on
settings.py   what is unusual in a configuration for this model and device
texts.py      texts that the tokenizer takes apart
samples.py    what is unusual in rows and batches
preflight.py  all of it, in order
text.py       the report for people
"""
