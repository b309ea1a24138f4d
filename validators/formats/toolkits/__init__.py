"""Validators of the manifests and shards that speech toolkits and dataset libraries read.

nemo.py      NeMo manifests
kaldi.py     utterances of a Kaldi data directory
lhotse.py    recordings and supervisions of Lhotse
embedded.py  samples with their media inside: WebDataset, datasets
"""
