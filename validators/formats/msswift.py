"""The MS-SWIFT custom dataset format (`messages`, `images`, `videos`, `audios`), as ms-swift 4.6 treats it.

Several stages decide whether a row is used, and they fail in different ways; every finding names its stage:

* S0, loading the file and mapping columns: the whole dataset fails, or a column is silently not mapped.
* S1, row preprocessing: the row is deleted, with a log line for the first ten rows, or with none.
* S2, encoding: the row is deleted, or under `lazy_tokenize` (the default for multimodal models) replaced by a random
  other row; media without a matching tag or list entry is misplaced or lost without an error.
* rollout: what GRPO needs beyond a row that can be encoded.

`Rows` takes rows as parsed JSON, in any of the column spellings that ms-swift maps to `messages`. A whole export is
validated by the same rules: `shape` is a SQL expression of what they look at, and each distinct shape is checked once.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from ...shards.store.sql import identifier, quote
from .findings import Finding, finding
from .msswift_problems import PROBLEMS, problems_of
from .msswift_rejected import TURN_RULES, rejected_problems
from .msswift_rows import (
    KINDS,
    MODEL_TOKEN,
    TAG_ANY_CASE,
    Media,
    has_boxes,
    mapped_columns,
    media_column,
    media_of,
    target_of,
)
from .msswift_turns import TOOL_ROLES, Conversation, are_tools, read_conversation
from .unified import is_file, path_shape, tokens_shape

TASKS = ("sft", "grpo", "dpo", "kto", "pretrain")

TASK_TURN_RULES = {
    "sft": {"last_not_assistant": "[ut]$"},
    "pretrain": {"last_not_assistant": "[ut]$", "tools_in_pretraining": "[ct]"},
    "grpo": {"ends_in_assistant": "[utac]a$", "answer_in_prompt": "[ac]a$|c$", "no_user_turn": "^s?a$"},
    "dpo": {},
    "kto": {"last_not_assistant": "[ut]$"},
}
_PRETRAINING = "^s?[ac]+$"


class Rows:
    """Validates the rows of one file in order; keeps track of the file's columns."""

    def __init__(self, *, task: str | None = None, files: bool = True) -> None:
        self.task = task or "sft"
        self.problems = problems_of(self.task)
        self.files = files
        self.columns: dict[str, int] = {}
        self.without_rejected = 0

    def check(self, number: int, row: Mapping[str, Any]) -> Iterator[Finding]:
        """Yield the findings of one row."""
        yield from self._columns(number, row)
        conversation = read_conversation(row)
        for code, detail, value in conversation.problems:
            yield finding(self.problems, code, number, detail=detail, column="messages", value=value)
        if conversation.turns is not None:
            yield from self._turns(number, conversation)
            needed = self.task == "dpo"
            for code, column, detail, value in rejected_problems(row, conversation, is_needed=needed):
                yield finding(self.problems, code, number, detail=detail, column=column, value=value)
        if row.get("objects") is not None and not has_boxes(row["objects"]):
            yield finding(self.problems, "bad_objects", number, column="objects", value=row["objects"])
        media, problems = media_of(row)
        for code, column, value in problems:
            yield finding(self.problems, code, number, column=column, value=value)
        if conversation.turns is not None:
            yield from self._tags(number, conversation, media)
        yield from self._paths(number, row, conversation, media)
        yield from self._answers(number, row)

    def _answers(self, number: int, row: Mapping[str, Any]) -> Iterator[Finding]:
        """Check further columns: those of templates, and those that a task learns from."""
        if not are_tools(row.get("tools")):
            yield finding(self.problems, "bad_tools", number, column="tools", value=row["tools"])
        settings = row.get("chat_template_kwargs")
        if settings and not isinstance(settings, Mapping):
            yield finding(self.problems, "bad_settings", number, column="chat_template_kwargs", value=settings)
        if self.task == "grpo" and row.get("solution") in (None, ""):
            yield finding(self.problems, "missing_solution", number, column="solution")
        if self.task == "kto" and not isinstance(row.get("label"), bool):
            code = "missing_label" if row.get("label") is None else "bad_label"
            yield finding(self.problems, code, number, column="label", value=row.get("label"))
        if self.task in ("dpo", "kto") and not _is_number(row.get("margin")):
            yield finding(self.problems, "bad_margin", number, column="margin", value=row["margin"])

    def _columns(self, number: int, row: Mapping[str, Any]) -> Iterator[Finding]:
        """Check for columns that collide, across rows too: two rows may spell the same target differently."""
        for column in row:
            if column in self.columns:
                continue
            target = target_of(column, self.columns.keys() | row.keys())
            others = [other for other in self.columns if target and target_of(other, row) == target]
            self.columns[column] = number
            if others:
                other = f"{others[0]!r} (row {self.columns[others[0]]})"
                detail = f"{column!r} (row {number}) and {other} both map to {target!r}"
                yield finding(self.problems, "key_collision", number, detail=detail, column=column)
        if "rejected_response" not in row and not self.without_rejected:
            self.without_rejected = number
            if "rejected_response" in self.columns:
                yield finding(self.problems, "mixed_preference", number, column="rejected_response")
        elif self.columns.get("rejected_response") == number and 0 < self.without_rejected < number:
            yield finding(self.problems, "mixed_preference", self.without_rejected, column="rejected_response")

    def _turns(self, number: int, conversation: Conversation) -> Iterator[Finding]:
        if not conversation.letters:
            return
        for code, pattern in {**TURN_RULES, **TASK_TURN_RULES[self.task]}.items():
            if re.search(pattern, conversation.letters):
                roles = " ".join(conversation.roles)
                yield finding(self.problems, code, number, column="messages", value=roles)

    def _paths(
        self, number: int, row: Mapping[str, Any], conversation: Conversation, media: Mapping[str, Media]
    ) -> Iterator[Finding]:
        for kind in KINDS:
            rejected, _ = media_column(kind, row.get(f"rejected_{kind}"))
            for column, path in (
                *((kind, path) for path in [*media[kind].paths, *conversation.media[kind]]),
                *((f"rejected_{kind}", path) for path in rejected.paths),
            ):
                path = path if kind == "videos" else path.strip()
                code = path_problem(path)
                if code is not None:
                    yield finding(self.problems, code, number, column=column, value=path)
                if self.files and code != "unsupported_uri" and is_local(path) and not is_file(path):
                    yield finding(self.problems, "missing_file", number, column=column, value=path)

    def _tags(self, number: int, conversation: Conversation, media: Mapping[str, Media]) -> Iterator[Finding]:
        joined = "\n".join(conversation.texts)
        if (token := re.search(MODEL_TOKEN, joined)) is not None:
            yield finding(self.problems, "model_token", number, column="messages", value=token[0])
        for kind in KINDS:
            tag = f"<{kind[:-1]}>"
            tags = joined.count(tag)
            items = media[kind].count + len(conversation.media[kind])
            detail = f"{tags} {tag} for {items} {kind}"
            if tags < items:
                yield finding(self.problems, "media_without_tag", number, detail=detail, column=kind)
            elif tags > items:
                yield finding(self.problems, "tag_without_media", number, detail=detail, column=kind)
            for role, code in (("s", "tag_in_system"), ("ac", "tag_in_assistant")):
                if role != "s" and re.search(_PRETRAINING, conversation.letters):
                    continue
                spoken = zip(conversation.letters, conversation.texts, strict=True)
                if any(letter in role and tag in text for letter, text in spoken):
                    yield finding(self.problems, code, number, detail=tag, column="messages")
            if len(re.findall(TAG_ANY_CASE[kind], joined)) > tags:
                yield finding(self.problems, "tag_case", number, detail=f"not {tag}", column="messages")
            if media[kind].count and conversation.media[kind]:
                yield finding(self.problems, "content_media_conflict", number, column=kind)


def is_local(path: str) -> bool:
    """Whether ms-swift would look for a file: not a URL, not inline data, not so long that it is taken for base64."""
    return not (path.startswith(("http", "data:")) or len(path) > 2000)


def path_problem(path: str) -> str | None:
    """Return `unsupported_uri`, `relative_path` or None."""
    if not is_local(path) or path.startswith("/"):
        return None
    return "unsupported_uri" if re.match(_URI, path) else "relative_path"


_URI = "^[A-Za-z][A-Za-z0-9+.-]*://"


def _is_number(value: Any) -> bool:
    try:
        return value is None or float(value) is not None
    except (TypeError, ValueError):
        return False


def detect_task(rows: Collection[Mapping[str, Any]]) -> str:
    """Detect the task of most of these rows: pairs, answers that are good or bad, prompts, or whole conversations."""
    preference = sum(any(key.startswith("rejected_") for key in row) for row in rows)
    prompts = sum(row.get("solution") is not None or read_conversation(row).letters.endswith("u") for row in rows)
    if 2 * preference > len(rows):
        return "dpo"
    if 2 * sum(isinstance(row.get("label"), bool) for row in rows) > len(rows):
        return "kto"
    return "grpo" if 2 * prompts > len(rows) else "sft"


MESSAGES_TYPES = {
    "STRUCT(role VARCHAR, content VARCHAR)[]": "",
    "STRUCT(role VARCHAR, content VARCHAR, loss BOOLEAN, loss_scale DOUBLE)[]": ", 'loss': m.loss",
}
"""DuckDB types of our own messages, without quotes -> what their shape has beside role and content."""
_READ = ("tools", "chat_template_kwargs", "label", "margin", "history")
"""Columns beside those of messages and media that the findings depend on."""
_ANY_TAG = f"(?:{'|'.join(TAG_ANY_CASE.values())}|{MODEL_TOKEN})"


def shape(columns: Mapping[str, str]) -> dict[str, str]:
    """Return what the findings of a row depend on: roles, the tags in contents, path prefixes; see `shape_sql`.

    Of a rejected side that is one text, all that matters is whether it is the last content, which is compared here. Any
    other is compared in ways of its own, so both sides are included in full.
    """
    sides = {name for name in columns if name.startswith("rejected_")}
    is_text = sides == {"rejected_response"} and columns["rejected_response"] == "VARCHAR"
    whole = bool(sides) and not (is_text and columns.get("messages", "").replace('"', "") in MESSAGES_TYPES)
    called = f"WHEN m.role IN ({', '.join(map(quote, TOOL_ROLES))}) THEN m.content"
    content = f"CASE {called} ELSE {tokens_shape('m.content', _ANY_TAG)} END"
    found = {}
    for name, type_ in columns.items():
        is_read = name.startswith("rejected_") or name in _READ or target_of(name, columns) is not None
        found[name] = identifier(name) if is_read else "NULL"
        if name == "solution":
            found[name] = "CASE WHEN solution <> '' THEN 'x' ELSE solution END" if type_ == "VARCHAR" else name
        elif name == "messages" and type_.replace('"', "") in MESSAGES_TYPES and not whole:
            further = MESSAGES_TYPES[type_.replace('"', "")]
            message = f"{{'role': m.role, 'content': {content}{further}}}"
            found[name] = f"[CASE WHEN m IS NOT NULL THEN {message} END FOR m IN messages]"
        elif name in KINDS and type_ == "VARCHAR[]":
            found[name] = f"[{path_shape('p')} FOR p IN {name}]"
    if sides and not whole:
        last = f"[{content} FOR m IN messages[-1:]][1]"
        found["rejected_response"] = (
            f"CASE WHEN rejected_response = messages[-1].content THEN {last} "
            f"WHEN rejected_response IS NOT NULL THEN '-' || coalesce({last}, '') END"
        )
    return found


__all__ = ["PROBLEMS", "TASKS", "Rows", "detect_task", "mapped_columns", "shape"]
