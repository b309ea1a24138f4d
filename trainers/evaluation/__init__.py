"""What models answered, beside what is right.

text_lines.py    text files of one text a line
predictions.py   files of predictions: the answer of a model to each row that it was asked
references.py    what is right: the rows of an export, or of a file
match.py         predictions beside what is right
scores.py        what an evaluation finds, and the folder that it writes
intervals.py     bootstrap intervals, and the paired bootstrap
score.py         scores of predictions, by group
tables.py        published scores beside them; qwen2_audio.yaml holds those of Qwen2-Audio
page/            the HTML page
options.py       the options of `evaluate`
evaluate.py      an evaluation from files to scores
calls.py         `triptych.evaluate`
"""
