"""Corpora made on the spot, of any size, from a seed.

source.py     the source: media and a sidecar for every sample
sentences.py  the texts: a small grammar of five languages
speech.py     the sound: espeak-ng, with the times of words and phones
video.py      the pictures: a shape that moves
"""
