"""`audio.jsonl`, `video.jsonl`, `mixed.jsonl`: the rows of each modality, in their order."""

from __future__ import annotations

from pathlib import Path

from ....shards.exports.jsonl import write_jsonl
from ....shards.store.database import session
from ....shards.store.sql import quote
from ..base import ViewOptions
from .rows import selected

FILES = {"audio": "audio.jsonl", "video": "video.jsonl", "mixed": "mixed.jsonl"}
"""Modality -> its file: what REAP calls S1, S2 and S3."""


def write_files(rows: Path, folder: Path, options: ViewOptions) -> None:
    """Write a file for each modality that has rows."""
    found = [str(modality) for (modality,) in selected(rows, "SELECT DISTINCT modality FROM rows ORDER BY 1")]
    with session() as connection:
        for modality in found:
            write_jsonl(connection, rows, folder / FILES[modality], where=f"modality = {quote(modality)}")
