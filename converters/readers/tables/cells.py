"""Cells of a user's table as fields of a sample: media, spans, splits, lists, numbers, conversations.

What does not fit is a `BadCell`, which names the column and the value and becomes the row's rejection.
"""

from __future__ import annotations

import json
import math
import os.path
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from ....shards.hash_sets import HashMap
from ....shards.sample import NAME
from ...candidate import Blob
from ...imports.columns import JSON_FIELDS, LIST_FIELDS, NUMBER_FIELDS
from ..values import as_text

_PLAIN = re.compile(r"(?:[^/.][^/]*/)*[^/.][^/]*\.\w+")
"""Relative paths in the usual way of writing, for which a cut at the last dot is what pathlib would do."""


class BadCell(Exception):
    """A cell that its column cannot hold; `reason` is the code of the row's rejection."""

    def __init__(self, column: str, value: Any, expected: str, *, reason: str = "bad_value") -> None:
        super().__init__(f"column {column!r}: expected {expected}, got {str(value)[:80]!r}")
        self.reason = reason


class MadeIds:
    """Ids for the rows of one file that bring none; unique in the file. Costs 16 bytes a row."""

    def __init__(self) -> None:
        self.number = 0
        self.made = HashMap()

    def row(self) -> None:
        """Count one row, whether it needs an id or not."""
        self.number += 1

    def next(self, media: Sequence[tuple[str, Blob]]) -> str:
        """The media's path without its extension; a second row on the same file gets `#2`."""
        return self.unique((_stem(media[0][1].name) if media else "") or f"row-{self.number:07d}")

    def unique(self, name: str) -> str:
        """The name, or `name#2` where an earlier row has it."""
        key = hash(name)
        count = (self.made.get(key) or 0) + 1
        self.made.put(key, count)
        return name if count == 1 else f"{name}#{count}"


def _stem(name: str) -> str:
    """A relative path without its extension; empty where it names no file."""
    if _PLAIN.fullmatch(name):
        return name.rpartition(".")[0]
    path = PurePosixPath(name)
    return path.with_suffix("").as_posix().lstrip("/") if path.name else ""


def blobs(column: str, value: Any, *, folder: Path) -> Iterator[Blob]:
    """The media that a cell names or holds: a path, bytes, the hub's {bytes, path}, or a list of these."""
    if value is None or value == []:
        return
    if isinstance(value, list):
        for item in value:
            yield from blobs(column, item, folder=folder)
    elif isinstance(value, Blob):
        yield value
    elif isinstance(value, bytes):
        yield Blob(column, data=value)
    elif isinstance(value, dict) and isinstance(value.get("bytes"), bytes):
        yield Blob(PurePosixPath(value.get("path") or column).name, data=value["bytes"])
    elif isinstance(value, dict) and isinstance(value.get("path"), str):
        yield from blobs(column, value["path"], folder=folder)
    elif isinstance(value, str):
        # Joined as text: the paths of a million rows are parsed once each, not three times.
        yield Blob(value, path=Path(os.path.join(folder, media_path(column, value))))  # noqa: PTH118
    else:
        raise BadCell(column, value, "a path")


def media_path(column: str, value: str) -> str | Path:
    """The path that a cell names; nothing else that a cell can hold is followed or run."""
    if "://" in value:
        raise BadCell(column, value, "a path on this machine (download the file first)", reason="remote_media")
    if value.rstrip().endswith("|"):
        raise BadCell(column, value, "a path, not a command", reason="executable_entry")
    if "\0" in value or any("\ud800" <= letter <= "\udfff" for letter in value):
        raise BadCell(column, value, "a path that a file can have (no null bytes, no halves of letters)")
    if not value.startswith("~"):
        return value
    try:
        return Path(value).expanduser()
    except RuntimeError:
        raise BadCell(column, value, "a path; the home of that user is not known here") from None


def check_span(fields: Mapping[str, Any]) -> None:
    """Raises BadCell where a span starts before its media or ends before it starts."""
    start, end = fields.get("start_s"), fields.get("end_s")
    if start is not None and start < 0:
        raise BadCell("start_s", start, "a start at 0 seconds or later")
    if end is not None and end <= (start or 0):
        raise BadCell("end_s", end, f"an end after the start at {start or 0} seconds")


def split_name(value: Any) -> str | None:
    """The name of a split, in lower case."""
    if value is None:
        return None
    name = str(value).strip().lower()
    if not NAME.fullmatch(name):
        raise BadCell("split", value, "a name of letters, digits, '.', '_' and '-'")
    return name


def typed(field: str, column: str, value: Any) -> Any:
    """The value as the field's type has it: text, number of seconds, list of texts, list of structures."""
    if value is None:
        return None
    if field in NUMBER_FIELDS:
        return _number(column, value)
    if field in LIST_FIELDS:
        return _strings(column, value)
    if field in JSON_FIELDS:
        return _structures(field, column, value)
    return as_text(value)


def _number(column: str, value: Any) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        raise BadCell(column, value, "a number of seconds") from None
    if math.isinf(number):
        raise BadCell(column, value, "a finite number of seconds")
    return None if math.isnan(number) else number


def _strings(column: str, value: Any) -> list[str] | None:
    if isinstance(value, str) and value.lstrip().startswith("["):
        value = _parse(column, value)
    items = value if isinstance(value, list) else [value]
    return [text for item in items if (text := as_text(item)) is not None]


def _structures(field: str, column: str, value: Any) -> list[dict[str, Any]] | None:
    value = _parse(column, value) if isinstance(value, str) else value
    keys = ("role", "content") if field == "messages" else ("text", "start_s", "end_s")
    if not isinstance(value, list) or not all(isinstance(item, dict) and set(keys) <= set(item) for item in value):
        raise BadCell(column, value, f"a list of objects with {', '.join(keys)}")
    return [{key: _member(key, item[key], column) for key in keys} for item in value]


def _member(key: str, value: Any, column: str) -> Any:
    if key in NUMBER_FIELDS:
        return _number(column, value)
    if not isinstance(value, str):
        raise BadCell(column, value, f"text for {key!r}")
    return value


def _parse(column: str, value: str) -> Any:
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        raise BadCell(column, value, "JSON") from None
