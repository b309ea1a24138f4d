"""JSON objects of which no value is lost: a key that stands twice with different values is an error.

Python's decoder, like most, keeps the last of them, and the first is gone without a word. Two equal values are one.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

_SHOWN = 40


class RepeatedKeyError(ValueError):
    """A key stands twice in one object, with different values."""

    def __init__(self, key: str, message: str) -> None:
        super().__init__(message)
        self.key = key


def distinct(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """The object of these keys and values: `object_pairs_hook` of a decoder.

    Raises:
        RepeatedKeyError: A key has two values.
    """
    found = dict(pairs)
    if len(found) != len(pairs):
        _check_repeats(pairs)
    return found


def parse(text: str) -> Any:
    """The value of a JSON text; raises ValueError, of which RepeatedKeyError is one, and RecursionError."""
    return json.loads(text, object_pairs_hook=distinct)


NULLS = json.JSONDecoder(parse_constant=lambda token: None, object_pairs_hook=distinct)
"""`NaN` and `Infinity` are not valid JSON; this decoder reads them as null."""


def _check_repeats(pairs: Sequence[tuple[str, Any]]) -> None:
    first: dict[str, str] = {}
    for key, value in pairs:
        written = repr(value)
        if first.setdefault(key, written) != written:
            values = f"{first[key][:_SHOWN]} and {written[:_SHOWN]}"
            raise RepeatedKeyError(key, f"the key {key!r} stands twice in one object, with {values}: keep one of them")
