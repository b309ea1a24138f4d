"""How every reader's layout states an utterance: one function per layout, and `LAYOUTS`, which names them all.

    corpus.py      `Corpus`, which a function gets, and `Layout`, its line in `LAYOUTS`
    tables.py      CSV, JSON, Parquet, datasets saved to disk
    training.py    training files
    manifests.py   Lhotse, Kaldi, NeMo, WebDataset
    corpora.py     trees of media, as cards describe them

A function writes a `Corpus` (utterances, and how their clips are stored) as its format wants it and returns the path to
import or pull. A row that names its media takes `Corpus.place`, one that contains it `Corpus.data`; the columns of its
span are `Corpus.spans`, in one of the spellings of `spellings.py`.

A new reader is one function here and its line in `LAYOUTS`: `test_registry.py` fails until it has both.
"""

from __future__ import annotations

from truth.layouts import corpora, manifests, tables, training
from truth.layouts.corpus import Corpus, Layout

__all__ = ["LAYOUTS", "Corpus", "Layout"]

_TREE = "{split}/{chapter_id}/"

_AUDIO_CHANNEL = "audio_channel"

LAYOUTS: dict[str, Layout] = {
    "csv": Layout("table", tables.csv_table, "csv", spelled=True),
    "json": Layout("table", tables.json_table, "json"),
    "jsonl": Layout("table", tables.jsonl_table, "jsonl"),
    "parquet": Layout("table", tables.parquet_table, "parquet"),
    "hf": Layout("hf", tables.saved_dataset, "hf", spelled=True),
    "unified": Layout("unified", training.unified, "unified", spelled=True, channel_column=_AUDIO_CHANNEL),
    "msswift": Layout("msswift", training.msswift, "msswift", spelled=True, channel_column=_AUDIO_CHANNEL),
    "conversation": Layout("conversation", training.conversation, "conversation", spelled=True,
                           channel_column=_AUDIO_CHANNEL),
    "alpaca": Layout("alpaca", training.alpaca, "alpaca", spelled=True, channel_column=_AUDIO_CHANNEL),
    "qa": Layout("qa", training.qa, "qa", spelled=True, channel_column=_AUDIO_CHANNEL),
    "termchunks": Layout("termchunks", training.termchunks, "termchunks", channels=False, prompted=False,
                         channel_column=_AUDIO_CHANNEL),
    "lhotse": Layout("lhotse", manifests.lhotse, "lhotse"),
    "lhotse in memory": Layout("lhotse", manifests.in_manifest, "lhotse"),
    "kaldi": Layout("kaldi", manifests.kaldi, "kaldi"),
    "nemo": Layout("nemo", manifests.nemo, "nemo"),
    "webdataset": Layout("webdataset", manifests.webdataset, "webdataset", spelled=True),
    "folder": Layout("folder", corpora.media_folder, "folder", spans=False, channels=False),
    "sidecar": Layout("sidecar", corpora.sidecars),
    "transcripts": Layout("transcripts", corpora.transcripts, spans=False, channels=False, card={
        "media": _TREE + "{id}.*", "transcripts": _TREE + "*.trans.txt"}),
    "timit": Layout("timit", corpora.timit, spans=False, channels=False),
    "lipreading": Layout("lipreading", corpora.lipreading, spans=False, channels=False, film=True,
                         split="pretrain"),
    "annotated": Layout("annotated", corpora.annotated, channels=False, card={
        "tables": [{"file": "{split}.csv"}], "media": {"audio": "audio/{file}"}, "id": "id",
        "columns": {"text": "words"}}),
    "columns": Layout("columns", corpora.hub_columns, channels=False, card={
        "id": "id", "audio": "audio", "text": "text"}),
}  # fmt: skip
"""Name -> layout. Those of one reader differ in what they can go wrong with."""
