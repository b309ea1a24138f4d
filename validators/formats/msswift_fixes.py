"""The mends of MS-SWIFT's own rules: what can be put right in a row without any doubt about what was meant."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

from .msswift_rows import CONVERSATIONS, KINDS, target_of
from .msswift_turns import parse

_ROLES = ("system", "user", "assistant", "tool_call", "tool_response", "tool")
_PATH_KEYS = ("path", "url", "file", *(kind[:-1] for kind in KINDS))


def _messages(row: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for name in CONVERSATIONS:
        value = row.get(name)
        yield from (each for each in value if isinstance(each, dict)) if isinstance(value, list) else ()


def _parts(message: Mapping[str, Any]) -> list[dict[str, Any]]:
    content = message.get("content")
    return [part for part in content if isinstance(part, dict)] if isinstance(content, list) else []


def roles_as_known(row: dict[str, Any]) -> None:
    """`User` and `tool-call` to `user` and `tool_call`."""
    for message in _messages(row):
        for key in ("role", "from"):
            if isinstance(message.get(key), str):
                role = message[key].strip().lower().replace("-", "_")
                message[key] = role if role in _ROLES else message[key]


def typed_parts(row: dict[str, Any]) -> None:
    """`{"text": ...}` and `{"audio": path}` with their type; nothing else of a part may be there."""
    for message in _messages(row):
        for part in _parts(message):
            if len(part) == 1:
                ((name, value),) = part.items()
                if isinstance(value, str) and name in ("text", *(kind[:-1] for kind in KINDS)):
                    part |= {"type": name}


def numbers(row: dict[str, Any]) -> None:
    """`"loss_scale": "0.5"` to the number."""
    for message in _messages(row):
        if isinstance(message.get("loss_scale"), str):
            with contextlib.suppress(ValueError):
                message["loss_scale"] = float(message["loss_scale"])


def label_as_truth(row: dict[str, Any]) -> None:
    """`"label": "true"` and 1 to `true`."""
    said = str(row.get("label")).strip().lower()
    row["label"] = {"true": True, "1": True, "false": False, "0": False}.get(said, row.get("label"))


def settings_as_object(row: dict[str, Any]) -> None:
    """`chat_template_kwargs` and `tools` that are JSON as text, to what they say."""
    for name in ("chat_template_kwargs", "tools"):
        if isinstance(row.get(name), str):
            with contextlib.suppress(ValueError):
                row[name] = parse(row[name])


def media_without_nulls(row: dict[str, Any]) -> None:
    """Lists of media without their nulls, where the texts have a tag for each of the others."""
    texts = [message.get("content") for message in _messages(row)]
    for kind in KINDS:
        media = row.get(kind)
        there = [each for each in media if each is not None] if isinstance(media, list) else []
        if there and sum(text.count(f"<{kind[:-1]}>") for text in texts if isinstance(text, str)) == len(there):
            row[kind] = there


def media_as_paths(row: dict[str, Any]) -> None:
    """`{"path": "/a.wav"}` to `/a.wav`, in columns of media; other keys must have no value."""
    for name in (*KINDS, *(kind[:-1] for kind in KINDS)):
        if isinstance(row.get(name), list):
            row[name] = [_path(each) for each in row[name]]
        elif isinstance(row.get(name), dict):
            row[name] = _path(row[name])


def _path(value: Any) -> Any:
    given = {key: held for key, held in value.items() if held is not None} if isinstance(value, dict) else {}
    if len(given) == 1 and isinstance(path := next(iter(given.values())), str) and next(iter(given)) in _PATH_KEYS:
        return path
    return value


def one_of_equal_columns(row: dict[str, Any]) -> None:
    """Of two columns that map to one target, and say the same or of which one says nothing, the one with that name."""
    named: dict[str, list[str]] = {}
    for column in row:
        if (target := target_of(column, row)) is not None:
            named.setdefault(target, []).append(column)
    for target, columns in named.items():
        held = [_listed(row[column]) for column in columns if row[column] not in (None, [], "")]
        if len(columns) > 1 and all(each == held[0] for each in held):
            value = next((row[column] for column in columns if row[column] not in (None, [], "")), row[columns[0]])
            for column in columns:
                del row[column]
            row[target] = value


def _listed(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def media_named_once(row: dict[str, Any]) -> None:
    """Without the list of the row that repeats, in order, what content parts name."""
    for kind in KINDS:
        parts = [
            part.get(kind[:-1])
            for message in _messages(row)
            for part in _parts(message)
            if part.get("type") == kind[:-1]
        ]
        if parts and _listed(row.get(kind)) == parts:
            del row[kind]
