"""How ms-swift reads a row: the columns it maps, and the media it finds; `msswift_turns.py` reads the messages."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

KINDS = ("images", "videos", "audios")
TAG_ANY_CASE = {
    kind: "<" + "".join(f"[{letter}{letter.upper()}]" for letter in kind[:-1]) + ">" for kind in KINDS
}  # spelled out: the two regular expression engines fold case differently beyond ASCII

MODEL_TOKEN = r"<\|(?:(?:audio|AUDIO|video|VIDEO|image|IMAGE|vision)[A-Za-z_]*|im_start|im_end|endoftext)\|>"
"""Tokens of Qwen models for media and turns, in the syntax of both regular expression engines; groups that
capture would take longer."""

CONVERSATIONS = ("messages", "conversation", "conversations")
ALPACA = ("instruction", "input")
_MEDIA_TARGETS = {name: f"{name.removesuffix('s')}s" for kind in KINDS for name in (kind, kind[:-1])}
_MESSAGES_TARGETS = {**dict.fromkeys(CONVERSATIONS, "messages"), "system": "system", "system_prompt": "system"}
_RESPONSE_TARGETS = {
    "system": "system",
    "system_prompt": "system",
    **dict.fromkeys(("query", "prompt", "input", "instruction", "question", "problem"), "query"),
    **dict.fromkeys(
        ("response", "answer", "output", "targets", "target", "answer_key", "answers", "solution", "text",
         "completion", "content"),
        "response",
    ),
}  # fmt: skip


def target_of(column: str, columns: Collection[str]) -> str | None:
    """Return the name that ms-swift gives this column in a file with these columns; None if it keeps its name."""
    lower = column.lower()
    if lower in _MEDIA_TARGETS:
        return _MEDIA_TARGETS[lower]
    if column in ALPACA and all(name in columns for name in ALPACA):
        return None  # joined to one query, not renamed
    targets = _MESSAGES_TARGETS if any(name in columns for name in CONVERSATIONS) else _RESPONSE_TARGETS
    return targets.get(lower)


def mapped_columns(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the row's values by target.

    Of two spellings of one name that differ in case alone, ms-swift knows the later one. If then two columns map to one
    target, only a column of that name counts.
    """
    names: dict[str, list[str]] = {}
    for column in {column.lower(): column for column in row}.values():
        target = target_of(column, row)
        if target is not None:
            names.setdefault(target, []).append(column)
    mapped = {target: row[columns[0]] for target, columns in names.items() if len(columns) == 1}
    return mapped | {target: row[target] for target in names if target in row}


@dataclass(slots=True)
class Media:
    """A media column: its paths, and its number of items (images may be bytes)."""

    paths: list[str]
    count: int


def media_of(row: Mapping[str, Any]) -> tuple[dict[str, Media], list[tuple[str, str, Any]]]:
    """Return the media columns by kind, and the code, column and value of their problems."""
    mapped = mapped_columns(row)
    problems: list[tuple[str, str, Any]] = []
    found = {}
    for kind in KINDS:
        found[kind], its = media_column(kind, mapped.get(kind))
        problems += its
    return found, problems


def media_column(kind: str, value: Any) -> tuple[Media, list[tuple[str, str, Any]]]:
    """Read one column of media."""
    items = [] if value is None else list(value) if isinstance(value, list | tuple) else [value]
    given = [item for item in items if item is not None]
    problems: list[tuple[str, str, Any]] = [("null_media", kind, None)] if len(given) < len(items) else []
    problems += [("media_type", kind, item) for item in given if not _is_media(kind, item)]
    paths = [item.get("path") if isinstance(item, Mapping) else item for item in given]
    return Media([path for path in paths if isinstance(path, str)], len(given)), problems


def _is_media(kind: str, item: Any) -> bool:
    if isinstance(item, Mapping):
        return kind == "images" and (item.get("path") is not None or item.get("bytes") is not None)
    return isinstance(item, str | bytes)


def has_boxes(objects: Any) -> bool:
    """Whether `objects` of a row has a list of boxes, each of two or four numbers."""
    boxes = objects.get("bbox") if isinstance(objects, Mapping) else None
    return isinstance(boxes, list | tuple) and all(
        isinstance(box, list | tuple) and len(box) in (2, 4) for box in boxes
    )
