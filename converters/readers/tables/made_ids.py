"""Make ids for the rows of a table that has none."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

from ....shards.hash_sets import HashMap
from ...candidate import Blob
from ...files.content_id import content_id

_PLAIN = re.compile(r"(?:[^/.][^/]*/)*[^/.][^/]*\.\w+")
"""Relative paths in plain notation, for which cutting at the last dot gives the same result as pathlib."""


class MadeIds:
    """Makes ids for the rows of one file that have none; unique in the file. Costs 16 bytes per row.

    An id is made of the media path without its extension; that of a further row with the same media, or of one without
    media, of the row's content. It never depends on the row's number: a deleted line gives no row the id of another.
    """

    def __init__(self) -> None:
        self.made = HashMap()

    def next(
        self, media: str, fields: Mapping[str, Any], blobs: Sequence[tuple[str, Blob]], suffix: str = ""
    ) -> tuple[str, str | None]:
        """The id of the next row; and the media's name and the suffix of its span if it is made of nothing else."""
        stem = _stem(media) if media else ""
        return self.unique(stem and stem + suffix, fields, blobs)

    def unique(self, name: str, fields: Mapping[str, Any], blobs: Sequence[tuple[str, Blob]]) -> tuple[str, str | None]:
        """The name if no earlier row has it, else an id with the row's content; a second equal row gets `#2`."""
        if name and self._counted(name) == name:
            return name, name
        return self._counted(content_id(name, fields, blobs)), None

    def _counted(self, name: str) -> str:
        key = hash(name)
        count = (self.made.get(key) or 0) + 1
        self.made.put(key, count)
        return name if count == 1 else f"{name}#{count}"


def _stem(name: str) -> str:
    """A relative path without its extension; empty if it names no file."""
    if _PLAIN.fullmatch(name):
        return name.rpartition(".")[0]
    path = PurePosixPath(name)
    return path.with_suffix("").as_posix().lstrip("/") if path.name else ""
