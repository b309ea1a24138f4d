"""Cell values on their way into a sample: one rule for null, numbers and nested values, whatever the file format."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from ...shards.sample import NAME
from ..imports.columns import JSON_FIELDS, LIST_FIELDS, NUMBER_FIELDS


class BadValue(Exception):
    """A cell that is not what its column must hold; the message names column and value."""

    def __init__(self, column: str, value: Any, expected: str) -> None:
        super().__init__(f"column {column!r}: expected {expected}, got {str(value)[:80]!r}")
        self.column = column


def as_text(value: Any) -> str | None:
    """The text of a cell; empty, null and NaN are null, nested values become JSON, `3.0` from a float column `3.0`."""
    if value is None or value == "" or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, bytes):
        return f"<{len(value)} bytes>"
    if isinstance(value, list | dict):
        return json.dumps(value, ensure_ascii=False, default=_plain, sort_keys=True)
    return str(value)


def without_nan(value: Any) -> Any:
    """NaN becomes null, also inside lists."""
    if isinstance(value, float) and math.isnan(value):
        return None
    if isinstance(value, list):
        return [without_nan(item) for item in value]
    return value


def as_number(column: str, value: Any) -> float | None:
    """A finite number; a decimal comma counts as a point.

    Raises:
        BadValue: It is none.
    """
    if value is None or value == "":
        return None
    try:
        number = float(value.strip().replace(",", ".")) if isinstance(value, str) else float(value)
    except (TypeError, ValueError, OverflowError):
        raise BadValue(column, value, "a number") from None
    if math.isinf(number):
        raise BadValue(column, value, "a finite number")
    return None if math.isnan(number) else number


def as_field(field: str, value: Any) -> Any:
    """The value as the column of the sample schema takes it; null where there is nothing.

    Raises:
        BadValue: It cannot be one.
    """
    if value is None or value == "" or value == []:
        return None
    if field in NUMBER_FIELDS:
        return as_number(field, value)
    if field in LIST_FIELDS:
        return _texts(field, value)
    if field in JSON_FIELDS:
        return _structures(field, value)
    return as_text(value)


def as_name(column: str, value: Any) -> str | None:
    """The name of a split, in lower case.

    Raises:
        BadValue: It is no name.
    """
    text = as_text(value)
    if text is None:
        return None
    name = text.strip().lower()
    if not NAME.fullmatch(name):
        raise BadValue(column, value, "a name of letters, digits, '.', '_' and '-'")
    return name


def as_config(column: str, value: Any) -> str | None:
    """The name of a configuration; a language's tag keeps its case.

    Raises:
        BadValue: It is no name.
    """
    text = as_text(value)
    if text is None:
        return None
    name = text.strip()
    if not NAME.fullmatch(name.lower()):
        raise BadValue(column, value, "a name of letters, digits, '.', '_' and '-'")
    return name


def check_span(fields: Mapping[str, Any]) -> None:
    """Raises BadValue where a span does not run forward from 0 or later."""
    start, end = fields.get("start_s"), fields.get("end_s")
    if start is not None and start < 0:
        raise BadValue("start_s", start, "a start at 0 seconds or later")
    if end is not None and end <= (start or 0):
        raise BadValue("end_s", end, f"an end after the start at {start or 0} seconds")


def _texts(field: str, value: Any) -> list[str] | None:
    items = value if isinstance(value, list) else [value]
    if field == "labels" and any(isinstance(item, int | float) and not isinstance(item, bool) for item in items):
        raise BadValue(field, value, "class names, not numbers (map them with `names` or `map`)")
    texts = [text for item in items if (text := as_text(item)) is not None]
    return texts or None


def _structures(field: str, value: Any) -> list[dict[str, Any]]:
    keys = ("role", "content") if field == "messages" else ("text", "start_s", "end_s")
    if not isinstance(value, list) or not all(isinstance(item, dict) and set(keys) <= set(item) for item in value):
        raise BadValue(field, value, f"a list of objects with {', '.join(keys)}")
    return [{key: _member(key, item[key]) for key in keys} for item in value]


def _member(key: str, value: Any) -> Any:
    if key in NUMBER_FIELDS:
        return as_number(key, value)
    if not isinstance(value, str):
        raise BadValue(key, value, "text")
    return value


def _plain(value: Any) -> Any:
    return f"<{len(value)} bytes>" if isinstance(value, bytes) else str(value)
