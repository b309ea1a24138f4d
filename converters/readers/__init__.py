"""Readers turn one raw layout into samples; this is the list of them.

A reader is a function `read(files, context)` (see `converters.candidate.Reader`). Cards name readers by these keys.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

from ...errors import UsageError
from ..candidate import Reader

READERS: dict[str, str] = {
    "annotated": "triptych.converters.readers.annotated.reader",
    "columns": "triptych.converters.readers.corpora.parquet",
    "folder": "triptych.converters.readers.corpora.folder",
    "lipreading": "triptych.converters.readers.corpora.lrs",
    "sidecar": "triptych.converters.readers.corpora.sidecar",
    "table": "triptych.converters.readers.tables.user_table",
    "timit": "triptych.converters.readers.corpora.timit",
    "transcripts": "triptych.converters.readers.corpora.transcripts",
    "unified": "triptych.converters.readers.training.unified",
    "msswift": "triptych.converters.readers.training.msswift",
    "conversation": "triptych.converters.readers.training.conversation",
    "alpaca": "triptych.converters.readers.training.alpaca",
    "qa": "triptych.converters.readers.training.qa",
    "termchunks": "triptych.converters.readers.training.termchunks",
    "kaldi": "triptych.converters.readers.manifests.kaldi",
    "lhotse": "triptych.converters.readers.manifests.lhotse",
    "nemo": "triptych.converters.readers.manifests.nemo",
    "hf": "triptych.converters.readers.manifests.hf_disk",
    "webdataset": "triptych.converters.readers.manifests.webdataset",
}
"""Name on the card -> module."""


def get_reader(name: str) -> Reader:
    """The reader of that name; its module is imported only now.

    Raises:
        UsageError: There is no such reader.
    """
    if name not in READERS:
        raise UsageError(f"There is no reader {name!r}. Readers: {', '.join(READERS)}.")
    reader: Reader = import_module(READERS[name]).read
    return reader


def check_options(name: str, options: Mapping[str, Any]) -> None:
    """Raises UsageError where a card's options of a reader are wrong, as far as that can be told without data.

    A reader that has something to check has a function `check(options)`.
    """
    check = getattr(import_module(READERS[name]), "check", None)
    if check is not None:
        check(options)
