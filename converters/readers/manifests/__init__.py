"""Interchange formats of speech tools.

kaldi.py         a Kaldi data directory
lhotse.py        Lhotse manifests
supervisions.py  rows from Lhotse's recordings, supervisions and cuts
nemo.py          NeMo manifests
webdataset.py    WebDataset shards
shard_groups.py  the members of a shard that form one sample
hf_disk.py       datasets saved to disk by Hugging Face `datasets`
hf_shards.py     datasets of Parquet shards, as the view `hf` writes them
"""
