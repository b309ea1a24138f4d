"""The data that trainers read.

exports.py   one published version: its rows and media, verified against its manifest
training_rows.py   a row that a model is trained on
encoder.py         what a trainer makes of rows
turns.py     a conversation: turns of text and media
sound.py     the sound of a clip at a model's rate; clips that are longer than it hears
log_mel.py   the sound as Whisper's extractor makes it, without the work of its zeros
outputs.py   what is written is none of the files that were read
"""
