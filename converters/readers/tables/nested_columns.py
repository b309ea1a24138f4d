"""Columns inside columns: `--map media.audio.path=audio` takes a value out of objects and lists, `ann.0.value` an item.

A column of exactly that name goes first, since flattened tables have dots in their names. What is left of the enclosing
column stays a column of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

from ....errors import UsageError
from ...candidate import Rejection
from ...files.extensions import kind_of
from .cells import Row, Rows

_DEPTH = 8
_LISTED = 40
"""How deep, and among how many values of a list, a path is looked for; those are examples for people."""


def nested_columns(given: Iterable[str], columns: Sequence[str], rows: Iterable[Row | Rejection]) -> list[str]:
    """The names among these that are no columns but paths inside one, with a value in one of the rows."""
    known = set(columns)
    wanted = [name for name in given if name not in known and enclosing(name, known) is not None]
    if not wanted:
        return []
    values = [row.values for row in rows if isinstance(row, Row)]
    return [name for name in wanted if any(_find(cells, name) is not None for cells in values)]


def spread(rows: Rows, paths: Sequence[str]) -> Rows:
    """The rows with the values at these paths as columns, taken out of the columns that enclose them."""
    for row in rows:
        if isinstance(row, Row):
            spread_cells(row.values, paths)
        yield row


def spread_cells(cells: dict[str, Any], paths: Iterable[str]) -> None:
    """Take the values at these paths out of the columns that enclose them, in place."""
    for path in paths:
        base = enclosing(path, cells)
        if base is None or path in cells:
            continue
        value = _find(cells, path)
        if value is not None:
            cells[base] = _without(cells[base], path[len(base) + 1 :].split("."))
            cells[path] = value if value != "" else None


def enclosing(path: str, columns: Iterable[str]) -> str | None:
    """The longest column that a path begins with."""
    return max((name for name in columns if path.startswith(f"{name}.")), key=len, default=None)


def _find(cells: dict[str, Any], path: str) -> Any:
    base = enclosing(path, cells)
    if base is None:
        return None
    value = cells[base]
    for part in path[len(base) + 1 :].split("."):
        if isinstance(value, dict):
            value = value.get(part)
        elif isinstance(value, list) and part.isdecimal():
            value = value[int(part)] if int(part) < len(value) else None
        else:
            return None
    return value


def _without(value: Any, parts: Sequence[str]) -> Any:
    """A copy of a value without what is at this path; null if nothing is left."""
    first, rest = parts[0], parts[1:]
    if isinstance(value, dict):
        inner = _without(value[first], rest) if rest else None
        left = {key: item for key, item in value.items() if key != first}
        return {**left, first: inner} if inner is not None else left or None
    left_items = [item if number != int(first) else None for number, item in enumerate(value)]
    if rest:
        left_items[int(first)] = _without(value[int(first)], rest)
    return left_items if any(item is not None for item in left_items) else None


# ---- what to suggest


def media_paths(rows: Iterable[Row | Rejection]) -> dict[str, str]:
    """Path -> kind of what looks like media: bytes, {bytes, path}, or text that ends like a media file's name."""
    found: dict[str, str] = {}
    for row in rows:
        if isinstance(row, Row):
            for path, value in _leaves(row.values, "", 0):
                if (kind := _kind(value)) is not None:
                    found.setdefault(path, kind)
    return found


def record_lists(document: Any) -> list[str]:
    """The paths of the lists of objects that hold all of what looks like media, below the first level of a document."""
    media = [path for path, value in _leaves(document, "", 0) if _kind(value) is not None]
    lists = [path for path in _lists(document, "", 0) if media and all(each.startswith(f"{path}.") for each in media)]
    return sorted(lists, key=len)


def no_records(path: str, lists: Sequence[str]) -> UsageError:
    """The error for a document whose records are further inside."""
    return UsageError(
        f"{path}: the document is one object; its records seem to be the list at {' or '.join(lists)}.",
        hint=f"--records {lists[0]}",
    )


def _leaves(value: Any, path: str, depth: int) -> Iterator[tuple[str, Any]]:
    """Every value that is not an object or a list, and every {bytes, path}, with its path."""
    if depth > _DEPTH:
        return
    inside: Iterable[tuple[str, Any]] = ()
    if isinstance(value, dict) and not isinstance(value.get("bytes"), bytes):
        inside = islice(value.items(), _LISTED)
    elif isinstance(value, list):
        inside = ((str(number), item) for number, item in enumerate(value[:_LISTED]))
    else:
        yield path, value
        return
    for key, item in inside:
        yield from _leaves(item, f"{path}.{key}" if path else str(key), depth + 1)


def _lists(value: Any, path: str, depth: int) -> Iterator[str]:
    if depth > _DEPTH or not isinstance(value, dict):
        return
    for key, item in islice(value.items(), _LISTED):
        place = f"{path}.{key}" if path else str(key)
        if depth and isinstance(item, list) and item and all(isinstance(each, dict) for each in item[:_LISTED]):
            yield place
        yield from _lists(item, place, depth + 1)


def _kind(value: Any) -> str | None:
    if isinstance(value, bytes) or (isinstance(value, dict) and isinstance(value.get("bytes"), bytes)):
        return "audio"
    if isinstance(value, str) and len(value) < 1000 and "\n" not in value:
        return kind_of(value)
    return None
