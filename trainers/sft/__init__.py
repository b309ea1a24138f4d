"""Supervised fine-tuning: what a model reads of a conversation, and which of its tokens it is trained to say.

conversation_text.py      a conversation as a model's template writes it, in pieces
labels.py                the tokens of the pieces, and which are trained
conversation_encoder.py  rows to inputs: what all families share
qwen2_audio.py           Qwen2-Audio: clips of at most 30 s
qwen3_omni.py            Qwen3-Omni's thinker: clips of any length, images, videos
pictures.py              images and frames as Qwen3-Omni's processor makes them
text.py                  models of text alone
encoders.py              the encoder of a family
cross_entropy.py         the loss: over the tokens of answers
train.py                 both as a recipe of a run
calls.py                 `triptych.train_sft`
"""
