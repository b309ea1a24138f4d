"""Acoustic features of an export: numbers that a model takes in place of sound, in shards with an index.

extractors.py  the published extractors of log-mel spectrograms: their closed parameters
options.py     the options of the view `features`
log_mel.py     a log-mel spectrogram, with the numbers of the model's own extractor
encoder.py     hidden states of an encoder that lies in a local folder
shards.py      files of arrays, written as a stream: .npy and safetensors
extract.py     from rows to shards, index and reasons
"""
