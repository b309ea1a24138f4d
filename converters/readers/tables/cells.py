"""Convert table cells to sample values: one rule for null, numbers, nested values, spans, splits and media.

In every file format, null, an empty string and NaN are null, and text is kept verbatim (`null`, `NA`, `007`).
`as_field` is for the mapping of cards, `typed` for the columns of users' tables, where lists and conversations may be
written as JSON. An invalid value raises `RowError`, which names column and value.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from ....shards.json_objects import RepeatedKeyError, parse
from ....shards.sample import NAME
from ....shards.vocabulary import NORMALIZED, UnknownWordError
from ...candidate import Blob, Rejection, RowError, bad_cell
from ...files.named_files import NamedFiles
from ...imports.columns import JSON_FIELDS, LIST_FIELDS, NUMBER_FIELDS, map_option
from ...spans import channels_in
from ..training.message_keys import trained_on
from .array_sound import array_sound
from .object_lists import as_objects
from .span_names import LENGTH, role_of

_CLOCK = re.compile(r"(?:(?:(\d+):)?(\d+):)?(\d+(?:[.,]\d*)?)")
OWN_SPAN = "no span or channel inside the medium: state it in columns of the row, start_s, end_s, channel"
TEXT_FIELDS = frozenset({"text", "translation", "question", "answer", "reasoning", "chosen", "rejected"})
"""Fields that a model is trained to read or to say."""
_A_NAME = "a name of letters, digits, '.', '_' and '-'"


@dataclass(slots=True)
class Row:
    """One record of a table: column -> value, and its location for messages (`file:7`).

    `key` is the record's key if the table is an object of records by key; `repeats` marks a second mention of a row;
    `stated_s` is the length of its media by the manifest, where the row is all of it.
    """

    values: dict[str, Any]
    where: str
    key: str | None = None
    repeats: bool = False
    stated_s: float | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """A table's name for the account, and its location for people."""

    name: str
    uri: str

    def rejection(self, row: int | str, reason: str, detail: str, *, damaged: bool = False) -> Rejection:
        """The rejection of one of its rows or lines; its detail is prefixed with the location."""
        error = RowError(reason, detail, row=row, file=self.uri)
        return error.rejection(candidate=f"{self.name}:{row}", damaged=damaged)


Rows = Iterator[Row | Rejection]
"""The rows of one table in file order; an unreadable row becomes a `Rejection` and never stops the table."""


# ---- null, text, numbers


def as_text(value: Any) -> str | None:
    """The text of a cell; empty, null and NaN are null, nested values become JSON, a float 3.0 becomes `3.0`."""
    if isinstance(value, str):
        return value or None
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, bytes):
        return f"<{len(value)} bytes>"
    if isinstance(value, list | dict):
        return json.dumps(value, ensure_ascii=False, default=_plain, sort_keys=True)
    return str(value)


def _plain(value: Any) -> Any:
    return f"<{len(value)} bytes>" if isinstance(value, bytes) else str(value)


def without_nan(value: Any) -> Any:
    """Replace NaN by null, also inside lists."""
    if isinstance(value, float) and math.isnan(value):
        return None
    if isinstance(value, list):
        return [without_nan(item) for item in value]
    return value


def as_cell(value: Any) -> Any:
    """A value as a table cell: an empty string and NaN are null."""
    return None if value == "" else without_nan(value)


def holds_bytes(value: Any) -> str | None:
    """The path of the bytes inside a value (`audio.bytes`), empty for the value itself; None if it has none."""
    if isinstance(value, bytes):
        return ""
    inside: Sequence[tuple[str, Any]] = ()
    if isinstance(value, dict):
        inside = [(str(key), item) for key, item in value.items()]
    elif isinstance(value, list):
        inside = [("", item) for item in value]
    for key, item in inside:
        if (found := holds_bytes(item)) is not None:
            return ".".join(part for part in (key, found) if part)
    return None


def as_number(column: str, value: Any, *, decimal_comma: bool = True) -> float | None:
    """Parse a finite number; in the tables of corpora, a decimal comma is accepted.

    True and false are no numbers, nor is `1_0`, though Python reads them as 1, 0 and 10.

    Raises:
        RowError: It is not a finite number.
    """
    if value is None or value == "":
        return None
    if isinstance(value, bool) or (isinstance(value, str) and "_" in value):
        raise bad_cell(column, value, "a number")
    try:
        number = float(value.strip().replace(",", ".") if decimal_comma and isinstance(value, str) else value)
    except (TypeError, ValueError, OverflowError):
        raise bad_cell(column, value, "a number") from None
    if math.isinf(number):
        raise bad_cell(column, value, "a finite number")
    return None if math.isnan(number) else number


def clock_seconds(text: str) -> float | None:
    """The seconds of `h:m:s`, `m:s` or `s`, with a decimal point or comma; None for anything else."""
    found = _CLOCK.fullmatch(text.strip())
    if found is None:
        return None
    hours, minutes, rest = found.groups()
    return int(hours or 0) * 3600 + int(minutes or 0) * 60 + float(rest.replace(",", "."))


# ---- fields of the sample


def as_word(field: str, column: str, value: Any) -> str | None:
    """The value of a column that has a vocabulary (task, language ...), in its one spelling; empty is null.

    Raises:
        RowError: It is none of the words.
    """
    text = as_text(value)
    if text is None or not text.strip():
        return None
    try:
        return NORMALIZED[field](text)
    except UnknownWordError as error:
        raise bad_cell(column, value, error.described) from None


def with_words(fields: dict[str, Any]) -> dict[str, Any]:
    """Fields whose values of columns with a vocabulary are in their one spelling.

    Raises:
        RowError: One is none of the words.
    """
    for field in NORMALIZED.keys() & fields.keys():
        fields[field] = as_word(field, field, fields[field])
    return fields


def as_field(field: str, value: Any) -> Any:
    """Convert a value for its column of the sample schema; an empty value is null.

    Raises:
        RowError: The value is invalid for the column.
    """
    if value is None or value == "" or value == []:
        return None
    if field in NUMBER_FIELDS:
        return as_number(field, value)
    if field == "channel":
        return _as_channel(value)
    if field in LIST_FIELDS:
        items = value if isinstance(value, list) else [value]
        if field == "labels" and any(isinstance(item, int | float) and not isinstance(item, bool) for item in items):
            raise bad_cell(field, value, "class names, not numbers (map them with `names` or `map`)")
        return [text for item in items if (text := as_text(item)) is not None] or None
    if field in JSON_FIELDS:
        return _structures(field, field, value)
    return as_word(field, field, value) if field in NORMALIZED else as_text(value)


def typed(field: str, column: str, value: Any) -> Any:
    """Convert a cell of a user's table to the type of its field: text, seconds, list of text, list of objects.

    Raises:
        RowError: The value is invalid for the field.
    """
    if value is None:
        return None
    if field in NUMBER_FIELDS:
        return as_number(column, value, decimal_comma=False)
    if field in LIST_FIELDS:
        if isinstance(value, str) and value.lstrip().startswith("["):
            value = _parse(column, value)
        items = value if isinstance(value, list) else [value]
        if any(isinstance(item, dict) for item in items):
            expected = f"a list of texts, not an object (as JSON: {map_option(column, 'extra')})"
            raise bad_cell(column, as_text(value), expected)
        return [text for item in items if (text := as_text(item)) is not None]
    if field in JSON_FIELDS:
        return _structures(field, column, _parse(column, value) if isinstance(value, str) else value)
    if field in TEXT_FIELDS and isinstance(value, list | dict):
        value = _only_text(field, column, value)
    return as_word(field, column, value) if field in NORMALIZED else as_text(value)


def _only_text(field: str, column: str, value: Any) -> str:
    """The one text of a list; a list of several, or an object, is no text, and its JSON would be learned as one."""
    if isinstance(value, list) and len(value) == 1 and isinstance(value[0], str):
        return value[0]
    ways = "several texts: --map {0}=captions; " if field == "text" else ""
    ways = (ways + "one inside: --map {0}.KEY={1}; as JSON: --map {0}=extra").format(column, field)
    raise bad_cell(column, as_text(value), f"one text ({ways})")


def members_left(field: str, column: str, value: Any) -> dict[str, str]:
    """What the objects in a cell say beside the members of the field, for `extra`: a list, one object for each.

    `messages` gives `message_keys`, which views read `loss` from; words and phones give `words_keys`, `phones_keys`.

    Raises:
        RowError: A message has a `loss` that is not true or false.
    """
    if field not in JSON_FIELDS or value is None:
        return {}
    items = as_objects(_parse(column, value) if isinstance(value, str) else value)
    known = _members(field)
    left = [{key: held for key, held in item.items() if key not in known and held is not None} for item in items]
    if field == "messages":
        left = [trained_on(column, item["role"], keys) for item, keys in zip(items, left, strict=True)]
    name = "message_keys" if field == "messages" else f"{field}_keys"
    return {name: as_text(left) or ""} if any(left) else {}


def _members(field: str) -> tuple[str, ...]:
    return ("role", "content") if field == "messages" else ("text", "start_s", "end_s")


def _as_channel(value: Any) -> int | tuple[int, ...] | None:
    channels = channels_in(value)
    if channels is None:
        raise bad_cell("channel", value, "a channel: a number from 0, A or B, left or right")
    return (channels[0] if len(channels) == 1 else tuple(channels)) if channels else None


def _structures(field: str, column: str, value: Any) -> list[dict[str, Any]]:
    keys, value = _members(field), as_objects(value)
    if not isinstance(value, list) or not all(isinstance(item, dict) and set(keys) <= set(item) for item in value):
        raise bad_cell(column, value, f"a list of objects with {', '.join(keys)}")
    return [{key: _member(key, item[key], column) for key in keys} for item in value]


def _member(key: str, value: Any, column: str) -> Any:
    if key in NUMBER_FIELDS:
        return as_number(column, value, decimal_comma=False)
    if not isinstance(value, str):
        raise bad_cell(column, value, f"text for {key!r}")
    return value


def _parse(column: str, value: str) -> Any:
    try:
        return parse(value)
    except RepeatedKeyError as error:
        raise bad_cell(column, value, f"JSON with each key once ({error})") from None
    except (ValueError, RecursionError):
        raise bad_cell(column, value, "JSON") from None


def as_name(column: str, value: Any) -> str | None:
    """The name of a split, in lower case.

    Raises:
        RowError: It is not a valid name.
    """
    text = as_text(value)
    if text is None:
        return None
    name = text.strip().lower()
    if not NAME.fullmatch(name):
        raise bad_cell(column, value, _A_NAME)
    return name


def as_config(column: str, value: Any) -> str | None:
    """The name of a configuration; its case is kept, as in language tags.

    Raises:
        RowError: It is not a valid name.
    """
    text = as_text(value)
    if text is None:
        return None
    name = text.strip()
    if not NAME.fullmatch(name.lower()):
        raise bad_cell(column, value, _A_NAME)
    return name


def check_span(fields: Mapping[str, Any]) -> None:
    """Raise RowError unless a span starts at 0 or later and ends after its start."""
    start, end = fields.get("start_s"), fields.get("end_s")
    if start is not None and start < 0:
        raise bad_cell("start_s", start, "a start at 0 seconds or later")
    if end is not None and end <= (start or 0):
        raise bad_cell("end_s", end, f"an end after the start at {start or 0} seconds")


# ---- media of users' tables


def blobs(column: str, value: Any, *, files: NamedFiles) -> Iterator[Blob]:
    """The media of a cell: a path, bytes, the hub's {bytes, path} or {array, sampling_rate}, or a list of these."""
    if value is None or value == []:
        return
    if isinstance(value, list):
        for item in value:
            yield from blobs(column, item, files=files)
    elif isinstance(value, Blob):
        yield value
    elif isinstance(value, bytes):
        yield Blob(column, data=value)
    elif isinstance(value, dict) and (part := own_span(value)) is not None:
        raise bad_cell(f"{column}.{part}", value[part], OWN_SPAN, reason="span_unsupported")
    elif isinstance(value, dict) and isinstance(value.get("bytes"), bytes):
        yield Blob(PurePosixPath(value.get("path") or column).name, data=value["bytes"])
    elif isinstance(value, dict) and value.get("array") is not None:
        name = PurePosixPath(value.get("path") or column).with_suffix(".wav").name
        yield Blob(name, data=array_sound(column, value["array"], value.get("sampling_rate")))
    elif isinstance(value, dict) and isinstance(value.get("path"), str):
        yield from blobs(column, value["path"], files=files)
    elif isinstance(value, str):
        yield Blob(value, path=Path(files.media(column, value)))
    elif place := holds_bytes(value):
        inside = f"{column}.{place}".removesuffix(".bytes")
        expected = f"a path, bytes or {{bytes, path}}; the bytes are inside: {map_option(inside, '...')}"
        raise bad_cell(column, sorted(value), expected)
    elif isinstance(value, dict):
        way = map_option(f"{column}.KEY", "...")
        raise bad_cell(column, sorted(value), f"a path; a value inside is mapped by its path: {way}")
    else:
        raise bad_cell(column, value, "a path")


def own_span(medium: Mapping[str, Any]) -> str | None:
    """The key by which one medium of a row states a span or a channel of its own; None if it states none."""
    for key, value in medium.items():
        role = role_of(key) if value is not None else None
        if role is not None and role.part != LENGTH:
            return key
    return None
