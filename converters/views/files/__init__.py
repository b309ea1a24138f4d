"""The further files of versions: what the tools read for which a view is made, written from the version's rows alone.

A writer takes the version's `data.parquet`, the folder and the options, and writes the same bytes for the same rows,
wherever it runs.

    rows.py        the rows of a version, by a SELECT
    nemo.py        NeMo's manifest
    kaldi.py       a Kaldi data directory
    lhotse.py      Lhotse's manifests, and its shards with the sound inside
    webdataset.py  tar shards with the media inside
    hf.py          Parquet shards with the media inside, by split
    calibration.py the rows of each modality, and what their order promises
    croissant.py   a description of the version in Croissant
    term_chunks.py the chunks as InfiniSST reads them, the glossary, its aliases and its index
    phoneme.py     the inventory of phones
    llamafactory.py   LLaMA-Factory's `dataset_info.json`, and its training command
"""
