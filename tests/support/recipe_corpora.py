"""Corpora in the layouts that recipes of other tools read, what those make of them, and whether a pull agrees.

The tools are torchaudio, SpeechBrain, ESPnet, aac-datasets, torchvision ... Each corpus is a small tree, written from
the recipe, with what the recipe makes of it: id, split, text, label or answer, speaker, seconds. `as_recipe` says how
ours differs on purpose, and so does the card (`recipes`), which names the recipe's file.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import triptych
from support.corpora import noise
from support.natives import encoded, film, parquet, unpacked
from support.pulls import Row, reasons, rows_of
from triptych.catalog.registry import get_card

SECONDS = 0.25
"""The length of `WAV` and `FLAC`."""

HALF = 0.5
"""The length of `VIDEO`."""

WAV = noise(1)
FLAC = encoded(2, "flac", seconds=SECONDS)


@dataclass(frozen=True)
class Corpus:
    """A tree, and what a recipe makes of it.

    Attributes:
        recipe: As the card names it.
        files: Path -> bytes; `VIDEO` stands for a short video, and a list of rows for a Parquet file.
        said: Id of the recipe -> what it says.
        as_recipe: One of our rows -> its id and values as the recipe has them.
        options: How it is pulled.
        rejected: What ours leaves out, with the reason; the recipe leaves it out too, or fails.
    """

    recipe: str
    files: Mapping[str, Any]
    said: Mapping[Any, tuple[Any, ...]]
    as_recipe: Callable[[Row], tuple[Any, tuple[Any, ...]]]
    options: Mapping[str, Any] = field(default_factory=dict)
    rejected: Mapping[str, str] = field(default_factory=dict)


VIDEO = object()


def name_of(row: Row) -> str:
    """Our id without the dataset, the configuration and the split."""
    return str(row["id"]).split(f"/{row['split']}/", 1)[1]


def tree_of(corpus: Corpus, folder: Path) -> Path:
    """The files of a corpus."""
    tables = {name: data for name, data in corpus.files.items() if isinstance(data, list)}
    files = {name: data for name, data in corpus.files.items() if name not in tables}
    unpacked(folder, {name: film(0) if data is VIDEO else data for name, data in files.items()})
    for name, rows in tables.items():
        parquet(folder / name, rows)
    return folder


def check(name: str, corpus: Corpus, folder: Path) -> None:
    """A pull of the tree gives what the recipe gives, rejects what it should, and the card names the recipe."""
    triptych.pull(name, store=folder / "store", from_path=tree_of(corpus, folder / "tree"), **corpus.options)
    found = [corpus.as_recipe(row) for row in rows_of(name, folder / "store").values()]
    assert dict(found) == corpus.said
    assert len(found) == len(corpus.said)
    assert reasons(folder / "store") == corpus.rejected
    assert corpus.recipe in get_card(name).recipes
