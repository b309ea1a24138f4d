"""Preference rows: `prompt`, `chosen` and `rejected` as lists of messages, a `dimension`, and the media of the prompt.

This is the explicit, conversational form that TRL 1.16 trains on; `dimension`, `images`, `videos` and `audios` are
columns beside it. The prompt ends with the turn that is answered, and each side is one answer. A tag in the prompt
stands for each of the media, which both sides see.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from .findings import Finding, Problem, finding
from .mend_texts import with_mends
from .msswift_rows import MODEL_TOKEN
from .unified import is_file, path_shape

TASKS: tuple[str, ...] = ()
DIMENSIONS = ("factuality", "instruction", "safety", "helpfulness")
KINDS = ("images", "videos", "audios")
_ROLES = ("system", "user", "assistant", "tool", "tool_call", "tool_response")
_ASKS = ("user", "tool", "tool_response")

PROBLEMS = {
    "missing_id": Problem("row", "warning", "no id", "the row cannot be named or compared"),
    "duplicate_id": Problem("file", "warning", "duplicate id", "rows cannot be distinguished"),
    "not_messages": Problem(
        "row", "error", "not a list of messages with role and content", "the chat template stops", "crashed"
    ),
    "unknown_role": Problem("row", "error", "a role that chat templates do not know", "they stop or skip it"),
    "prompt_end": Problem(
        "row", "error", "the prompt does not end with a turn to answer",
        "the answer is taken for the continuation of another one",
    ),
    "not_one_answer": Problem(
        "row", "error", "a side that is not one answer of the assistant", "the sides are no alternatives"
    ),
    "empty_answer": Problem("row", "error", "a side without text", "the model learns to say nothing, or to avoid it"),
    "same_answers": Problem("row", "error", "both sides are the same", "the pair has no gradient"),
    "unknown_dimension": Problem(
        "row", "error", f"the dimension is not one of {', '.join(DIMENSIONS)}", "the shares of a mixture count it wrong"
    ),
    "tag_mismatch": Problem("row", "error", "tags and media differ in number", "media are misplaced or lost"),
    "tag_in_answer": Problem("row", "error", "a media tag in an answer", "the sides see different media"),
    "model_token": Problem(
        "row", "error", "a token of the model in a text", "it is taken for a medium or the end of a turn"
    ),
    "media_type": Problem("row", "error", "not a list of paths", "the row cannot be read"),
    "missing_file": Problem("row", "error", "no such file", "the row fails when it is read"),
    "relative_path": Problem("row", "warning", "not an absolute path", "it is resolved from where training starts"),
}  # fmt: skip
PROBLEMS = with_mends("preference", PROBLEMS)


class Rows:
    """Validates rows one by one."""

    def __init__(self, *, task: str | None = None, files: bool = True) -> None:
        self.files = files

    def check(self, number: int, row: Mapping[str, Any]) -> Iterator[Finding]:
        """Yield the findings of one row."""
        if row.get("id") in (None, ""):
            yield finding(PROBLEMS, "missing_id", number, column="id")
        if row.get("dimension") not in DIMENSIONS:
            yield finding(PROBLEMS, "unknown_dimension", number, column="dimension", value=row.get("dimension"))
        sides = [_messages(row.get(column)) for column in ("prompt", "chosen", "rejected")]
        for column, messages in zip(("prompt", "chosen", "rejected"), sides, strict=True):
            if messages is None:
                yield finding(PROBLEMS, "not_messages", number, column=column, value=row.get(column))
            else:
                yield from self._texts(number, column, messages)
        prompt, chosen, rejected = sides
        if prompt is not None:
            if prompt[-1][0] not in _ASKS:
                yield finding(PROBLEMS, "prompt_end", number, column="prompt", value=prompt[-1][0])
            yield from self._media(number, row, "\n".join(text for _, text in prompt))
        if chosen is not None and rejected is not None and chosen[-1][1].split() == rejected[-1][1].split():
            yield finding(PROBLEMS, "same_answers", number, column="rejected", value=rejected[-1][1])

    def _texts(self, number: int, column: str, messages: list[tuple[str, str]]) -> Iterator[Finding]:
        for role, text in messages:
            if role not in _ROLES:
                yield finding(PROBLEMS, "unknown_role", number, column=column, value=role)
            if (token := re.search(MODEL_TOKEN, text)) is not None:
                yield finding(PROBLEMS, "model_token", number, column=column, value=token[0])
            if role in ("assistant", "tool_call") and any(f"<{kind[:-1]}>" in text for kind in KINDS):
                yield finding(PROBLEMS, "tag_in_answer", number, column=column, value=text)
        if column != "prompt":
            if [role for role, _ in messages] != ["assistant"]:
                roles = " ".join(role for role, _ in messages)
                yield finding(PROBLEMS, "not_one_answer", number, column=column, value=roles)
            elif not messages[0][1].strip():
                yield finding(PROBLEMS, "empty_answer", number, column=column)

    def _media(self, number: int, row: Mapping[str, Any], prompt: str) -> Iterator[Finding]:
        for kind in KINDS:
            paths = row.get(kind) or []
            if not isinstance(paths, list) or not all(isinstance(path, str) for path in paths):
                yield finding(PROBLEMS, "media_type", number, column=kind, value=paths)
                continue
            tags = prompt.count(f"<{kind[:-1]}>")
            if tags != len(paths):
                detail = f"{tags} <{kind[:-1]}> for {len(paths)} {kind}"
                yield finding(PROBLEMS, "tag_mismatch", number, detail=detail, column=kind)
            for path in paths:
                if not path.startswith("/"):
                    yield finding(PROBLEMS, "relative_path", number, column=kind, value=path)
                if self.files and not is_file(path):
                    yield finding(PROBLEMS, "missing_file", number, column=kind, value=path)


def _messages(value: Any) -> list[tuple[str, str]] | None:
    """Roles and texts; None if the value is no list of messages, or an empty one."""
    if not isinstance(value, list) or not value:
        return None
    if not all(isinstance(each, Mapping) and isinstance(each.get("content"), str) for each in value):
        return None
    return [(str(each.get("role")), each["content"]) for each in value]


def detect_task(rows: Collection[Mapping[str, Any]]) -> str | None:
    """Return None: the format has no tasks."""
    return None


_MESSAGES = "STRUCT(role VARCHAR, content VARCHAR)[]"


def shape(columns: Mapping[str, str]) -> dict[str, str]:
    """Return what the findings of a row depend on: roles, tags, and whether the sides differ; see `shape_sql`."""
    found = {name: name for name in ("id", "dimension") if name in columns}
    if "id" in found:
        found["id"] = "CASE WHEN id <> '' THEN 'x' ELSE id END"
    for column in ("prompt", "chosen", "rejected"):
        if column in columns:
            if columns[column].replace('"', "") != _MESSAGES:
                return {name: name for name in columns}
            found[column] = _seen(column, "x")
    if {"chosen", "rejected"} <= found.keys():
        found["rejected"] = f"CASE WHEN rejected = chosen THEN {_seen('chosen', 'x')} ELSE {_seen('rejected', 'y')} END"
    for kind in KINDS:
        if kind in columns:
            found[kind] = f"[{path_shape('p')} FOR p IN {kind}]" if columns[kind] == "VARCHAR[]" else kind
    return found


def _seen(column: str, mark: str) -> str:
    """Messages with nothing of their texts but tags and tokens, and `mark` for all other text."""
    tags = f"array_to_string(regexp_extract_all(m.content, '(?:<image>|<video>|<audio>|{MODEL_TOKEN})'), '')"
    text = f"CASE WHEN trim(m.content) = '' THEN '' ELSE '{mark}' || {tags} END"
    return f"[CASE WHEN m IS NOT NULL THEN {{'role': m.role, 'content': {text}}} END FOR m IN {column}]"
