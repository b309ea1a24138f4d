"""Rows and media that are trained on and measured on: a score on them shows what was learnt by heart."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from ....shards.exports.versions import Version, media_paths, sample_column
from ....shards.store.database import session
from ....shards.store.sql import identifier, quote
from .report import ERROR, Finding

NAMED = 3
"""Ids and files that a finding names."""

_SHA256 = re.compile(r"[0-9a-f]{64}")


def overlaps(trained: Version, measured: Version, key: str) -> Iterator[Finding]:
    """Yield what two exports have in common.

    Args:
        key: The key of the configuration that names the second.
    """
    ids = sorted(_ids(trained) & _ids(measured))
    if ids:
        yield _finding("samples", ids, trained, measured, key)
        return  # their media are the same too
    if media := _same_media(media_paths(trained), media_paths(measured)):
        yield _finding("media files", media, trained, measured, key)


def _finding(what: str, common: Sequence[str], trained: Version, measured: Version, key: str) -> Finding:
    named = ", ".join(common[:NAMED]) + (" ..." if len(common) > NAMED else "")
    return Finding(
        ERROR, "overlap", f"{key}: {measured.reference} has {len(common):,} {what} of {trained.reference}: {named}",
        "export each with --split (train, test), or make splits: triptych split",
    )  # fmt: skip


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
