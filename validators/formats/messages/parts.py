"""Messages and the parts of their contents: what is read of them, and the rules that all consumers share."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any
from urllib.parse import unquote

from ....shards.store.sql import identifier, quote
from ..findings import Finding, Problem, finding
from ..msswift_rows import MODEL_TOKEN
from ..unified import is_file
from .json_text import PROBLEMS as OF_JSON_TEXTS

KINDS = ("image", "video", "audio")
_TAG = re.compile("<(image|video|audio)>")

SHARED = {
    "duplicate_id": Problem("load", "warning", "duplicate id", "rows cannot be distinguished", "kept", "rename one"),
    "no_messages": Problem("load", "error", "no messages", "there is nothing to encode", "crashed", "remove the row"),
    "message_keys": Problem(
        "template", "error", "a message that is no object with role and content", "the template stops at it", "crashed",
        "write both",
    ),
    "unknown_role": Problem(
        "template", "warning", "a role other than system, user, assistant and tool",
        "some templates print it as it is, others stop", "kept", "use one of them",
    ),
    "content_part": Problem(
        "template", "error", "a part that is neither text nor a medium", "it is left out, or the template stops",
        "kept", "write a part of text or of a medium",
    ),
    "literal_tag": Problem(
        "template", "warning", "a tag such as <audio> in a text", "it stays in the prompt as text", "kept",
        "write a part for the medium",
    ),
    "model_token": Problem(
        "template", "error", "a token of the model in a text",
        "the tokenizer takes it for a medium or the end of a turn", "kept", "remove it",
    ),
    "missing_file": Problem("load", "error", "no such file", "the row fails when it is read", "crashed",
                            "correct the path"),
    **OF_JSON_TEXTS,
    "relative_path": Problem(
        "load", "warning", "not an absolute path", "it is resolved from where the reader runs", "kept",
        "write absolute paths",
    ),
}  # fmt: skip


def messages_in(row: Mapping[str, Any], column: str) -> Any:
    """The messages of a column; JSON that stands as text, as readers of Parquet return it, is parsed."""
    value = row.get(column)
    if isinstance(value, str) and value.lstrip().startswith("["):
        try:
            return json.loads(value)
        except ValueError:
            return value
    return value


def check_messages(
    problems: Mapping[str, Problem], number: int, column: str, messages: Any
) -> Iterator[Finding | tuple[Mapping[str, Any], Mapping[str, Any]]]:
    """Yield what is wrong with messages by the rules that all consumers share, and every part with its message."""
    if not isinstance(messages, list) or not messages:
        yield finding(problems, "no_messages", number, column=column, value=messages)
        return
    for place, message in enumerate(messages):
        if not isinstance(message, Mapping) or not isinstance(message.get("role"), str):
            yield finding(problems, "message_keys", number, detail=f"message {place}", column=column, value=message)
            continue
        if message["role"] not in ("system", "user", "assistant", "tool", "developer"):
            yield finding(problems, "unknown_role", number, column=column, value=message["role"])
        content = message.get("content")
        if isinstance(content, str):
            yield from check_text(problems, number, column, content)
        elif isinstance(content, list):
            for part in content:
                if isinstance(part, Mapping):
                    yield message, part
                else:
                    yield finding(problems, "content_part", number, column=column, value=part)
        elif not message.get("tool_calls"):
            yield finding(problems, "message_keys", number, detail=f"message {place}", column=column, value=message)


def check_text(problems: Mapping[str, Problem], number: int, column: str, text: str) -> Iterator[Finding]:
    """Yield what is wrong with a text."""
    if (token := re.search(MODEL_TOKEN, text)) is not None:
        yield finding(problems, "model_token", number, column=column, value=token[0])
    if (tag := _TAG.search(text)) is not None:
        yield finding(problems, "literal_tag", number, column=column, value=tag[0])


def check_path(
    problems: Mapping[str, Problem], number: int, column: str, path: str, *, files: bool
) -> Iterator[Finding]:
    """Yield what is wrong with a path, or with a URL of a file."""
    if path.startswith("file://"):
        path = unquote(path.removeprefix("file://"))
    elif re.match("^[A-Za-z][A-Za-z0-9+.-]*:", path):
        return
    if not path.startswith("/"):
        yield finding(problems, "relative_path", number, column=column, value=path)
    if files and not is_file(path):
        yield finding(problems, "missing_file", number, column=column, value=path)


def detect_task(rows: object) -> None:
    """Return None: the format has no tasks."""
    return None


_REPLACED = (
    *((rf'"{key}":"(?:[^"\\<]|\\.)+"', f'"{key}":"x"') for key in ("text", "content")),
    *((rf'"{key}":"/(?:[^"\\]|\\.)*"', f'"{key}":"/"') for key in KINDS),
    (r'"url":"file:///[^"\\]*"', '"url":"file:///"'),
)
"""Patterns, each with what stands for it; without groups, which take longer than further patterns."""


def json_shape(column: str, seen: Collection[str] = ()) -> str:
    """SQL for what the rules look at in our own JSON of messages: texts without `<`, and paths, are all alike.

    Args:
        seen: Shapes that rows have. To see that a text has one takes a third of the time that making its shape takes.
    """
    whole = f"{identifier(column)}::VARCHAR"
    made = whole
    for pattern, replacement in _REPLACED:
        made = f"regexp_replace({made}, '{pattern}', '{replacement}', 'g')"
    known = [f"WHEN regexp_matches({whole}, {quote(_pattern_of(shape))}) THEN {quote(shape)}" for shape in seen]
    return f"CASE {' '.join(known)} ELSE {made} END" if known else made


def _pattern_of(shape: str) -> str:
    """The pattern of all texts of that shape."""
    pattern = re.escape(shape)
    for replaced, stands in _REPLACED:
        pattern = pattern.replace(re.escape(stands), replaced)
    return f"^{pattern}$"


def shape_of(columns: Mapping[str, str], names: tuple[str, ...]) -> dict[str, str]:
    """What the findings of a row depend on, of these columns of messages."""
    return {
        name: json_shape(name) if columns[name] == "JSON" else identifier(name) for name in names if name in columns
    }
