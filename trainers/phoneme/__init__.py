"""Phones out of speech: a frozen Whisper encoder, one linear layer, and a language model with LoRA.

vocabulary.py   the phones of an export, as tokens
config.py       the configuration: that of every run, with the section `phoneme`
phone_rows.py   rows of phones to inputs
model.py        what is trained
base.py         the folders that it is made of
loss.py         what is minimised
train.py        a run
"""
