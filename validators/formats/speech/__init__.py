"""Formats of utterances: one file a tool or view.

nemo.py           NeMo manifests
kaldi.py          Kaldi data directories
lhotse.py         Lhotse manifests
phoneme.py        phones as conversations
term_chunks.py    chunks of speech around terms
"""
