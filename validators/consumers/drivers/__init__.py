"""Programs that load a file as one consumer does, run by the Python that has the consumer installed.

They import nothing of Triptych, only the standard library and what the consumer needs. Each reads one request (JSON)
from standard input, and writes answers as JSON Lines; what the consumer itself prints goes to standard error.

    answers.py        the request, the answers, and the ids of a file's rows
    media.py          the media that a row names
    processors.py     small processors with the real models' tokens, templates and feature extractors, made offline
    hf_datasets.py    `datasets`: both files of a version, compared; the dataset with the media inside
    ms_swift.py       MS-SWIFT: loader, preprocessor, template, lazy dataset, collator
    llama_factory.py  LLaMA-Factory: loader, converter, processor, collator
    trl_trainer.py    TRL: the data format it finds, its trainer's preparation and collator
    lhotse_cuts.py    Lhotse: cuts, or a Kaldi data directory, with their recordings
    web_dataset.py    WebDataset: the shards, media decoded
    croissant.py      mlcroissant: the records that `croissant.json` describes
"""
