"""Rows of JSON Lines and of JSON documents: a list of records, an object of records by key, or a single record.

Values keep their types; `NaN`, `Infinity` and an empty string are null. An invalid line of JSON Lines, or a record in
which a key has two values, is rejected and the next one is read; after a syntax error in a JSON document the rest
cannot be read, and the last item is a `Rejection` that says so.
"""

from __future__ import annotations

import json
from typing import Any, BinaryIO

from ....shards.json_lines import LARGEST_LINE_MB, MB, read_lines, too_long
from ....shards.json_objects import NULLS
from ....shards.json_stream import Element, JsonFault, read_items, read_members, read_values
from ...candidate import Rejection
from .cells import Place, Row, Rows


def read_jsonl(stream: BinaryIO, place: Place, *, largest: int = LARGEST_LINE_MB * MB) -> Rows:
    """Rows of JSON Lines; blank lines are skipped, a line of more than `largest` bytes is rejected.

    A JSON document is refused once, not line by line.
    """
    for count, (number, raw) in enumerate(read_lines(stream, largest=largest)):
        if count == 0 and raw is not None and _is_document(raw):
            detail = "this is a JSON document, not one object per line: import json reads it"
            yield place.rejection(number, "not_json_lines", detail, damaged=True)
            return
        yield place.rejection(number, "line_too_long", too_long(largest)) if raw is None else _line(raw, place, number)


def _is_document(first: bytes) -> bool:
    """Whether a first line begins an array of records, or an object written over several lines."""
    start = first.strip()
    return start in (b"[", b"{") or (start.startswith(b"[") and start[1:].lstrip().startswith(b"{"))


def _line(raw: bytes, place: Place, number: int) -> Row | Rejection:
    try:
        value = NULLS.decode(raw.decode("utf-8"))
    except json.JSONDecodeError as error:
        return place.rejection(number, "bad_json", f"column {error.colno}: {error.msg}")
    except UnicodeDecodeError as error:
        return place.rejection(number, "not_utf8", f"byte {error.start} is not UTF-8")
    except (ValueError, RecursionError) as error:
        return place.rejection(number, "bad_json", str(error))
    return record(value, place, number)


def read_json(stream: BinaryIO, place: Place, *, at: str = "", keyed: str | None = None, single: bool = False) -> Rows:
    """Rows of a JSON document, one at a time.

    Args:
        at: The key path of the records: `data.items`.
        keyed: The records are the members of an object, whose keys go to the column of this name.
        single: The document, or the value at `at`, is one record.
    """
    read = read_members if keyed else read_values if single else read_items
    try:
        for element in read(stream, at=at):
            yield _element(element, place, keyed)
    except JsonFault as fault:
        number = f"{fault.line}, record {fault.number}"
        detail = f"column {fault.column}: {fault.message}; the rest of the file cannot be read"
        yield place.rejection(number, "not_utf8" if fault.is_encoding else "bad_json", detail, damaged=True)


def _element(element: Element, place: Place, keyed: str | None) -> Row | Rejection:
    if element.fault:
        number = f"{element.line}, record {element.number}" if keyed is None else element.key
        return place.rejection(number, "bad_json", element.fault)
    if keyed is None:
        return record(element.value, place, f"{element.line}, record {element.number}")
    value = element.value if isinstance(element.value, dict) else {"value": element.value}
    row = record(value, place, element.key)
    if isinstance(row, Row):
        row.values.setdefault(keyed, element.key)
    return row


def record(value: Any, place: Place, number: int | str) -> Row | Rejection:
    """A record as a row; a value that is not an object is rejected."""
    if not isinstance(value, dict):
        detail = f"expected an object, got {json.dumps(value, default=str)[:80]}"
        return place.rejection(number, "not_an_object", detail)
    cells = {column: cell if cell != "" else None for column, cell in value.items()}
    return Row(cells, f"{place.uri}:{number}")
