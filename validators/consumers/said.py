"""What a row teaches: its last answer, the rejected one, and its label, wherever a format puts them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_SPEAKERS = ("assistant", "gpt")
_TAG = re.compile(r"<(?:audio|video|image)>")
_ENDS = re.compile(r"(?:\s*<\|[^|<>]*\|>)+\s*$")
"""The tokens with which a template closes a turn."""


def answer_of(row: Mapping[str, Any]) -> str | None:
    """The last answer of a row; None if its last turn is none."""
    for name in ("chosen", "completion", "messages", "conversations", "output"):
        if row.get(name) is not None:
            is_written = name in ("messages", "conversations") and isinstance(row[name], str)  # as JSON
            return None if is_written else _last(row[name])
    return None


def rejected_of(row: Mapping[str, Any]) -> str | None:
    """The rejected answer of a row."""
    for name in ("rejected", "rejected_messages", "rejected_response"):
        if row.get(name) is not None:
            return _last(row[name])
    return None


def label_of(row: Mapping[str, Any]) -> bool | None:
    """Whether the answer of a row was liked."""
    label = row.get("label", row.get("kto_tag"))
    return label if isinstance(label, bool) else None


def ends_with(learned: str, answer: str) -> bool:
    """Whether the text that a consumer learns ends with an answer; what stands before a tag in it is left aside."""
    return _ENDS.sub("", learned).rstrip().endswith(_TAG.split(answer)[-1].strip())


def _last(held: Any) -> str | None:
    """The text of an answer: a text, a message, or the last of a list of messages."""
    if isinstance(held, list):
        return _last(held[-1]) if held and isinstance(held[-1], Mapping) else None
    if not isinstance(held, Mapping):
        return held if isinstance(held, str) else None
    if held.get("role", held.get("from")) not in _SPEAKERS:
        return None
    content = held.get("content", held.get("value"))
    if isinstance(content, list):
        content = "".join(part["text"] for part in content if isinstance(part, Mapping) and part.get("type") == "text")
    return content if isinstance(content, str) else None


__all__ = ["answer_of", "ends_with", "label_of", "rejected_of"]
