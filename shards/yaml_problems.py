"""What pydantic finds wrong with a YAML file, in our words: file, line, key and value."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from .strict_yaml import Lines, parse_scalar

_NO_KEYS = re.compile(r"(str|Gate)$|(dict|literal)\[")
"""Members of unions, which pydantic adds to the location of an error; they are not keys of the file."""


def problem_of(path: Path, item: Any, lines: Lines, *, noun: str) -> str:
    """One error of pydantic as `file:line: key: message`; `noun` stands for the file where no key does."""
    place = place_of(item, lines)
    return f"{path}:{line_of(place, lines)}: {'.'.join(map(str, place)) or noun}: {message_of(item)}"


def place_of(item: Any, lines: Lines) -> tuple[Any, ...]:
    """Return the keys and indexes that lead to the fault, as the file has them."""
    location = tuple(part for part in item["loc"] if not isinstance(part, str) or not _NO_KEYS.match(part))
    if location[-1:] == ("[key]",):
        return _key_place(location[:-2], item["input"], lines)
    return location


def message_of(item: Any) -> str:
    """Return what is wrong, and the value if it is short."""
    message = {"extra_forbidden": "unknown key", "missing": "this key is missing"}.get(item["type"], item["msg"])
    given = f" (got {item['input']!r})" if item["type"] not in ("missing", "value_error") and _is_short(item) else ""
    if item["type"] == "string_type" and isinstance(item["input"], bool | int | float):
        kind = "true or false" if isinstance(item["input"], bool) else "a number"
        given = f": YAML reads it as {kind} (got {item['input']!r}); put it in quotes"
    return f"{message.removeprefix('Value error, ')}{given}"


def line_of(place: tuple[Any, ...], lines: Lines) -> int:
    """Return the line of a key, or of the nearest enclosing one."""
    while place and place not in lines:
        place = place[:-1]
    return lines.get(place, 1)


def _key_place(parent: tuple[Any, ...], key: object, lines: Lines) -> tuple[Any, ...]:
    """Return the place of a key that YAML does not read as text, as written in the file: `no` for `False`."""
    for place in lines:
        is_inside = len(place) == len(parent) + 1 and place[:-1] == parent and isinstance(place[-1], str)
        if is_inside and parse_scalar(place[-1]) == key:
            return place
    return parent


def _is_short(item: Any) -> bool:
    return len(repr(item.get("input"))) < 80
