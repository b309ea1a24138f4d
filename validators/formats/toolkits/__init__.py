"""Validators of the manifests and shards that speech toolkits and dataset libraries read.

nemo.py         NeMo manifests
kaldi.py        utterances of a Kaldi data directory
lhotse.py       recordings and supervisions of Lhotse
shar.py         the shards of Lhotse
embedded.py     samples with their media inside, before they are packed: WebDataset, datasets
webdataset.py   the same, and the shards of WebDataset
tar_samples.py  the samples of a shard
"""
