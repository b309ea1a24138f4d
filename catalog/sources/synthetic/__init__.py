"""Corpora of any size, generated from a seed.

source.py     the source: media and a sidecar for every sample
sentences.py  the texts: a small grammar for five languages
speech.py     the audio: espeak-ng, with word and phone times
video.py      the video: a moving shape
"""
