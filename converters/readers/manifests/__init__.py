"""Interchange formats of speech tools.

kaldi.py         a Kaldi data directory
lhotse.py        Lhotse manifests
supervisions.py  rows from Lhotse's recordings, supervisions and cuts
nemo.py          NeMo manifests
webdataset.py    WebDataset shards
hf_disk.py       datasets saved to disk by Hugging Face `datasets`
"""
