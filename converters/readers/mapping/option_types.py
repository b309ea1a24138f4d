"""Check the types of a card's options: each function returns the value, or says what was expected instead.

YAML reads what a card means as text or a list as anything else: a number, `true`, an object, nothing at all.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ....errors import UsageError


def a_text(value: Any, what: str) -> str:
    """Text that is not empty."""
    if not isinstance(value, str) or not value:
        raise _wrong(what, "text", value)
    return value


def texts(value: Any, what: str) -> list[str]:
    """A text, or a list of texts that is not empty."""
    items = value if isinstance(value, list) else [value]
    if not items or not all(isinstance(item, str) and item for item in items):
        raise _wrong(what, "text, or a list of texts", value)
    return list(items)


def items(value: Any, what: str) -> list[Any]:
    """A list; nothing is an empty one."""
    if value is None:
        return []
    if not isinstance(value, list):
        raise _wrong(what, "a list", value)
    return value


def some(value: Any, what: str) -> list[Any]:
    """A list that is not empty."""
    if not isinstance(value, list) or not value:
        raise _wrong(what, "a list that is not empty", value)
    return value


def entries(value: Any, what: str) -> dict[str, Any]:
    """An object; nothing is an empty one."""
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise _wrong(what, "an object {name: value}", value)
    for key in value:
        if not isinstance(key, str):
            raise UsageError(f"{what}: the key {key!r} is not text; put it in quotes.")
    return dict(value)


def a_flag(value: Any, what: str) -> bool:
    """`true` or `false`; nothing is `false`."""
    if value is not None and not isinstance(value, bool):
        raise _wrong(what, "true or false", value)
    return bool(value)


def a_number(value: Any, what: str) -> int:
    """A whole number from 0 on."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise _wrong(what, "a whole number", value)
    return value


def one_of(value: Any, what: str, choices: tuple[str, ...]) -> str:
    """One of these texts."""
    if not isinstance(value, str) or value not in choices:
        raise _wrong(what, f"one of {', '.join(choices)}", value)
    return value


def _wrong(what: str, expected: str, value: Any) -> UsageError:
    return UsageError(f"{what}: expected {expected}, got {str(value)[:60]!r}.")
