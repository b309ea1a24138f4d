"""The data that trainers read.

exports.py         one published version: its rows and media, verified against its manifest
turns.py           a conversation: turns of text and media
turn_parts.py      the contents of turns: texts with tags of media, typed parts
bad_rows.py        rows that cannot be trained on
training_row.py    a row that a model is trained on
row_turns.py       its turns, from the columns of each view
training_rows.py   the rows of a version, read one by one
encoder.py         what a trainer makes of rows
row_lengths.py     the lengths of all rows, and which of them are bad
batch_plan.py      which rows are trained on together, and when
batch_loader.py    the batches, decoded ahead
sound.py           the sound of a clip at a model's rate; clips that are longer than it hears
log_mel.py         the sound as Whisper's extractor makes it, without the work of its zeros
outputs.py         what is written is none of the files that were read
"""
