"""Rows and media that are trained on and measured on: a score on them shows what was learnt by heart.

A run with such rows does not begin, unless `data.allow_overlap` says so; then it warns.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ....errors import amount
from ....shards.exports.versions import Version, media_paths, noise_samples, sample_column
from ....shards.store.database import session
from ....shards.store.sql import identifier, quote
from .findings import ERROR, WARNING, Finding

if TYPE_CHECKING:
    from ..config.sections import RunConfig

OVERLAP = "overlap"
"""The name of the finding."""

NAMED = 3
"""Ids and files that a finding names."""

_SHA256 = re.compile(r"[0-9a-f]{64}")


def overlaps(config: RunConfig, trained: Version, measured: Mapping[str, Version]) -> Iterator[Finding]:
    """Yield what the exports that a run is measured on share with the one that it is trained on.

    Args:
        measured: By the key of the configuration that names each.
    """
    for key, version in measured.items():
        for text in _shared(trained, version):
            yield overlap(config, f"{key}: {version.reference} has {text}")


def overlap(config: RunConfig, text: str) -> Finding:
    """A finding of what is trained on and measured on: an error, unless the configuration allows it."""
    if config.data.allow_overlap:
        return Finding(WARNING, OVERLAP, text, "scores of them show what was learnt by heart")
    return Finding(
        ERROR, OVERLAP, text,
        "make splits (triptych split) and export each with --split (train, test); to measure what was learnt by heart: "
        "--set data.allow_overlap=true",
    )  # fmt: skip


def _shared(trained: Version, measured: Version) -> Iterator[str]:
    """Yield what two versions have in common. A sample that is noise in rows is heard in them."""
    ids = sorted((_ids(trained) | set(noise_samples(trained))) & _ids(measured))
    if ids:
        yield _told("sample", ids, trained)
        return  # their media are the same too
    if media := _same_media(media_paths(trained), media_paths(measured)):
        yield _told("media file", media, trained)


def _told(what: str, common: Sequence[str], trained: Version) -> str:
    named = ", ".join(common[:NAMED]) + (" ..." if len(common) > NAMED else "")
    return f"{amount(len(common), what)} of {trained.reference}: {named}"


def _ids(version: Version) -> set[str]:
    parquet = version.path / "data.parquet"
    with session() as connection:
        column = identifier(sample_column(connection, parquet))
        rows = connection.execute(f"SELECT DISTINCT {column} FROM read_parquet({quote(str(parquet))})").fetchall()
    return {str(row[0]) for row in rows}


def _same_media(first: Sequence[str], second: Sequence[str]) -> list[str]:
    """Files of the second that are in the first, by content. The store names files by it; others are read where two
    have the same length."""
    named = {_name(path) for path in first}
    found = [path for path in second if _name(path) in named]
    if any(_SHA256.fullmatch(Path(path).stem) is None for path in (*first, *second)):
        by_size: dict[int, list[str]] = {}
        for path in first:
            if Path(path).is_file():
                by_size.setdefault(Path(path).stat().st_size, []).append(path)
        for path in second:
            alike = by_size.get(Path(path).stat().st_size, []) if Path(path).is_file() else []
            if path not in found and any(_content(path) == _content(other) for other in alike):
                found.append(path)
    return sorted(found)


def _name(path: str) -> str:
    """The SHA-256 of a file that the store has named; of another its path."""
    stem = Path(path).stem
    return stem if _SHA256.fullmatch(stem) else path


def _content(path: str) -> str:
    stem = Path(path).stem
    if _SHA256.fullmatch(stem):
        return stem
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
