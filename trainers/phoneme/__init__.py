"""Phones out of speech: a frozen Whisper encoder, one linear layer, and a language model with LoRA.

vocabulary.py     the phones of an export, as tokens
config.py         the configuration: that of every run, with the section `phoneme`
phone_rows.py     rows of phones to inputs
model.py          what is trained
base.py           the folders that it is made of
loss.py           what is minimised
train.py          a run
decoder.py       phones out of a clip, with confidences; how likely the phones are that should be said
scores/           how well phones were heard, and said
recognizer.py     what a run, or the folder that was made of it, says of clips
infer.py          clips, and rows of an export, with error rates
hand_on.py        a run as a model folder: adapters merged, new tokens in it
options.py        the options of `triptych phoneme`
calls.py          `triptych.train_phoneme`, `phoneme_build_vocabulary` and `phoneme_infer`
"""
