"""Readers turn one raw layout into samples; this is the list of them.

A reader is a function `read(files, context)` (see `converters.raw.Reader`). Cards name readers by these keys.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

from ...errors import UsageError
from ..raw import Reader

READERS: dict[str, str] = {
    "annotated": "annotated",
    "columns": "columns",
    "folder": "folder",
    "lipreading": "lipreading",
    "sidecar": "sidecar",
    "table": "table",
    "timit": "timit",
    "transcripts": "transcripts",
    "unified": "training.unified",
    "msswift": "training.msswift",
    "conversation": "training.conversation",
    "alpaca": "training.alpaca",
    "qa": "training.qa",
    "termchunks": "training.termchunks",
    "kaldi": "interchange.kaldi",
    "lhotse": "interchange.lhotse",
    "nemo": "interchange.nemo",
    "hf": "interchange.hf",
    "webdataset": "interchange.webdataset",
}
"""Name on the card -> module of this package."""


def get_reader(name: str) -> Reader:
    """The reader of that name; its module is imported only now.

    Raises:
        UsageError: There is no such reader.
    """
    if name not in READERS:
        raise UsageError(f"There is no reader {name!r}. Readers: {', '.join(READERS)}.")
    reader: Reader = import_module(f"{__name__}.{READERS[name]}").read
    return reader


def check_options(name: str, options: Mapping[str, Any]) -> None:
    """Raises UsageError where a card's options of a reader are wrong, as far as that can be told without data.

    A reader that has something to check has a function `check(options)`.
    """
    check = getattr(import_module(f"{__name__}.{READERS[name]}"), "check", None)
    if check is not None:
        check(options)
