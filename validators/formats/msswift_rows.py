"""How ms-swift reads a row: the columns it maps, the roles, texts and media it finds.

The problems found on the way are collected by code; `PROBLEMS` defines what each means for ms-swift.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from .findings import Problem

KINDS = ("images", "videos", "audios")
TAG_ANY_CASE = {
    kind: "<" + "".join(f"[{letter}{letter.upper()}]" for letter in kind[:-1]) + ">" for kind in KINDS
}  # spelled out: the two regular expression engines fold case differently beyond ASCII

MODEL_TOKEN = r"<\|((audio|AUDIO|video|VIDEO|image|IMAGE|vision)[A-Za-z_]*|im_start|im_end|endoftext)\|>"
"""Tokens of Qwen models for media and turns, in the syntax of both regular expression engines."""

SYSTEM_ROLES = frozenset({"system"})
USER_ROLES = frozenset({"user", "human"})
ASSISTANT_ROLES = frozenset({"assistant", "gpt", "bot", "tool_call", "tool-call", "function_call", "function-call"})
TOOL_ROLES = frozenset(
    {"tool", "tool_response", "tool-response", "function_response", "function-response", "observation", "observations"}
)
_LETTERS = {
    **dict.fromkeys(SYSTEM_ROLES, "s"),
    **dict.fromkeys(USER_ROLES, "u"),
    **dict.fromkeys(ASSISTANT_ROLES, "a"),
    **dict.fromkeys(TOOL_ROLES, "t"),
}
_MESSAGE_KEYS = {"role", "from", "content", "value", "loss", "loss_scale", "tool_calls"}

_CONVERSATIONS = ("messages", "conversation", "conversations")
_ALPACA = ("instruction", "input")
_MEDIA_TARGETS = {name: f"{name.removesuffix('s')}s" for kind in KINDS for name in (kind, kind[:-1])}
_MESSAGES_TARGETS = {**dict.fromkeys(_CONVERSATIONS, "messages"), "system": "system", "system_prompt": "system"}
_RESPONSE_TARGETS = {
    **dict.fromkeys(("query", "prompt", "input", "instruction", "question", "problem"), "query"),
    **dict.fromkeys(
        ("response", "answer", "output", "targets", "target", "answer_key", "answers", "solution", "text",
         "completion", "content"),
        "response",
    ),
}  # fmt: skip

_DELETED = "ms-swift deletes the row (a traceback for the first ten)"
_REPLACED = "ms-swift deletes the row, or under lazy_tokenize trains on a random other row"

PROBLEMS = {
    "duplicate_id": Problem("S0", "warning", "duplicate id", "rows cannot be distinguished"),
    "key_collision": Problem("S0", "error", "two columns map to one target", "ms-swift maps neither, then drops them"),
    "empty_messages": Problem("S1", "error", "no messages", "the row is dropped without a log line"),
    "unparseable_messages": Problem("S1", "error", "messages is neither a list nor a Python literal", _DELETED),
    "message_keys": Problem("S1", "error", "a message without role or content key", _DELETED),
    "unknown_role": Problem("S1", "error", "a role unknown to ms-swift", _DELETED),
    "null_content": Problem("S1", "error", "a message whose content is null", _DELETED),
    "extra_message_keys": Problem("S1", "warning", "extra keys in a message", "ms-swift strips them"),
    "bad_loss": Problem(
        "S2", "warning", "`loss` of a message is neither true nor false", "any text counts as true, `false` too",
    ),
    "bad_objects": Problem("S1", "error", "objects without boxes of two or four numbers", _DELETED),
    "rejected_null": Problem("S1", "error", "rejected_response is null", _DELETED),
    "rejected_equals_answer": Problem("S1", "error", "rejected_response is the answer itself", _DELETED),
    "mixed_preference": Problem(
        "S1", "error", "a row without rejected_response in a file that has the column",
        "Arrow fills in null and ms-swift deletes every such row",
    ),
    "no_turns": Problem("S2", "error", "nothing but a system message", _REPLACED),
    "system_not_first": Problem("S2", "error", "a system message that is not first", _REPLACED),
    "alternation": Problem("S2", "error", "user, assistant and tool turns do not alternate", _REPLACED),
    "content_type": Problem("S2", "error", "content that is neither text nor a list of parts", _REPLACED),
    "content_part": Problem("S2", "error", "a content part without type", _REPLACED),
    "content_media_ignored": Problem(
        "S2", "warning", "a content part without a value under the name of its type",
        "ms-swift writes the tag and silently drops the media",
    ),
    "content_media_conflict": Problem("S2", "error", "media both in content parts and in the row's list", _REPLACED),
    "media_type": Problem("S2", "error", "a media column that is neither a path nor a list of paths", _REPLACED),
    "null_media": Problem("S2", "warning", "a null among the media", "ms-swift skips it and the tags shift by one"),
    "missing_file": Problem("S2", "error", "no such file", _REPLACED),
    "unsupported_uri": Problem("S2", "error", "a URI that ms-swift cannot open", _REPLACED),
    "relative_path": Problem("S2", "warning", "not an absolute path", "it is resolved from where training starts"),
    "media_without_tag": Problem(
        "S2", "warning", "fewer tags than media", "ms-swift puts the missing tags before the first message",
    ),
    "tag_without_media": Problem(
        "S2", "warning", "more tags than media", "the extra tags stay in the prompt as literal text",
    ),
    "tag_in_system": Problem("S2", "warning", "a media tag in the system message", "it consumes the first media"),
    "tag_in_assistant": Problem("S2", "warning", "a media tag in an answer", "it consumes media in text order"),
    "tag_case": Problem("S2", "warning", "a tag in another case", "it stays in the prompt as literal text"),
    "model_token": Problem(
        "S2", "error", "a token of the model in a text", "the tokenizer takes it for a medium or the end of a turn",
    ),
    "rejected_without_media": Problem(
        "S2", "warning", "rejected_messages without its own media", "the rejected side is encoded without any",
    ),
    "missing_rejected": Problem("S2", "error", "no rejected side", _REPLACED),
    "last_not_assistant": Problem("S2", "warning", "the last message is not an answer", "all labels are masked"),
    "ends_in_assistant": Problem("rollout", "warning", "the last message is an answer", "it is removed before rollout"),
    "no_user_turn": Problem("rollout", "error", "no user message", "nothing is left to answer"),
    "missing_solution": Problem("rollout", "error", "no solution", "reward functions receive None"),
}  # fmt: skip


def target_of(column: str, columns: Collection[str]) -> str | None:
    """Return the name that ms-swift gives this column in a file with these columns; None if it keeps its name."""
    lower = column.lower()
    if lower in _MEDIA_TARGETS:
        return _MEDIA_TARGETS[lower]
    if column in _ALPACA and all(name in columns for name in _ALPACA):
        return None  # joined to one query, not renamed
    targets = _MESSAGES_TARGETS if any(name in columns for name in _CONVERSATIONS) else _RESPONSE_TARGETS
    return targets.get(lower)


def mapped_columns(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the row's values by target; if two columns map to one target, only a column of that name counts."""
    names: dict[str, list[str]] = {}
    for column in row:
        target = target_of(column, row)
        if target is not None:
            names.setdefault(target, []).append(column)
    mapped = {target: row[columns[0]] for target, columns in names.items() if len(columns) == 1}
    return mapped | {target: row[target] for target in names if target in row}


@dataclass(slots=True)
class Conversation:
    """A row's messages as ms-swift reads them. `turns` is None if it reads none at all.

    Attributes:
        letters: One letter per message: s, u, a, t, or x for an unknown role.
        contents: The original contents; `texts` has tags in place of content parts.
        media: Paths from content parts, by kind.
        problems: Code, detail and value of each problem found.
    """

    turns: list[Any] | None = None
    letters: str = ""
    roles: list[str] = field(default_factory=list)
    contents: list[Any] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    media: dict[str, list[str]] = field(default_factory=lambda: {kind: [] for kind in KINDS})
    problems: list[tuple[str, str, Any]] = field(default_factory=list)

    def problem(self, code: str, detail: str = "", value: Any = None) -> None:
        """Record a problem, once per row."""
        if all(code != known for known, _, _ in self.problems):
            self.problems.append((code, detail, value))

    def add(self, position: int, message: Any) -> None:
        """Add one message."""
        role = content = None
        if not isinstance(message, Mapping):
            self.problem("message_keys", f"message {position} is a {type(message).__name__}", message)
        else:
            role, content = self._role(position, message), self._content(position, message)
        self.letters += _LETTERS.get(role, "x") if isinstance(role, str) else "x"
        self.roles.append(str(role))
        self.contents.append(content)
        self.texts.append(self._text(content))

    def _role(self, position: int, message: Mapping[str, Any]) -> Any:
        key = next((key for key in ("role", "from") if key in message), None)
        if key is None:
            self.problem("message_keys", f"message {position} has no role", dict(message))
            return None
        role = message[key]
        if not isinstance(role, str) or role not in _LETTERS:
            self.problem("unknown_role", f"message {position}", role)
        if message.get("loss") is not None and not isinstance(message["loss"], int):
            self.problem("bad_loss", f"message {position}", message["loss"])
        further = sorted(set(message) - _MESSAGE_KEYS)
        if further:
            self.problem("extra_message_keys", f"message {position} has {', '.join(further)}")
        return role

    def _content(self, position: int, message: Mapping[str, Any]) -> Any:
        key = next((key for key in ("content", "value") if key in message), None)
        if message.get("tool_calls"):
            return message.get(key) or "" if key else ""
        if key is None:
            self.problem("message_keys", f"message {position} has no content", dict(message))
            return None
        if message[key] is None:
            self.problem("null_content", f"message {position}")
        elif not isinstance(message[key], str | list):
            self.problem("content_type", f"message {position}", message[key])
        return message[key]

    def _text(self, content: Any) -> str:
        if isinstance(content, list):
            return "".join(map(self._part, content))
        return content if isinstance(content, str) else ""

    def _part(self, part: Any) -> str:
        if not isinstance(part, Mapping) or not isinstance(part.get("type"), str):
            self.problem("content_part", value=part)
            return ""
        value = part.get(part["type"])
        if part["type"] == "text":
            return value if isinstance(value, str) else ""
        kind = part["type"].removesuffix("_url")
        if isinstance(value, Mapping):
            value = value.get("url")
        if value is None:
            self.problem("content_media_ignored", value=part)
        elif f"{kind}s" in self.media:
            self.media[f"{kind}s"].append(str(value))
        return f"<{kind}>"


def read_conversation(row: Mapping[str, Any]) -> Conversation:
    """Return the messages of a row, from the columns that ms-swift would use."""
    found = Conversation()
    mapped = mapped_columns(row)
    messages = mapped.get("messages")
    if "messages" not in mapped:
        messages = _from_query(row, mapped)
    if isinstance(messages, str) and messages:
        try:
            messages = ast.literal_eval(messages)
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            found.problem("unparseable_messages", value=messages)
            return found
    if not messages:
        found.problem("empty_messages")
        return found
    if not isinstance(messages, list | tuple):
        found.problem("unparseable_messages", value=messages)
        return found
    found.turns = _from_pairs(list(messages))
    for position, message in enumerate(found.turns):
        found.add(position, message)
    system = mapped.get("system")
    if isinstance(system, str) and system and not found.letters.startswith("s"):
        found.letters, found.roles = "s" + found.letters, ["system", *found.roles]
        found.contents, found.texts = [system, *found.contents], [system, *found.texts]
    return found


def _from_query(row: Mapping[str, Any], mapped: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the messages of an Alpaca or query/response row, without null sides."""
    query, response = mapped.get("query"), mapped.get("response")
    if all(name in row for name in _ALPACA):
        query = "\n".join(str(row[name]) for name in _ALPACA if row[name])
    if isinstance(response, list):
        response = response[0] if response else None
    sides = (("user", query or None), ("assistant", response))
    return [{"role": role, "content": content} for role, content in sides if content is not None]


def _from_pairs(messages: list[Any]) -> list[Any]:
    """Convert ShareGPT pairs `{human: ..., assistant: ...}` to messages; leave anything else unchanged."""
    first = messages[0]
    if not isinstance(first, Mapping) or {"role", "from", "content", "value"} & set(first):
        return messages
    if not all(
        isinstance(pair, Mapping) and USER_ROLES & set(pair) and ASSISTANT_ROLES & set(pair) for pair in messages
    ):
        return messages
    turns = []
    for pair in messages:
        turns += [{"role": role, "content": text} for role, text in pair.items() if role in _LETTERS]
    return turns


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
        value = mapped.get(kind)
        items = [] if value is None else list(value) if isinstance(value, list | tuple) else [value]
        given = [item for item in items if item is not None]
        if len(given) < len(items):
            problems.append(("null_media", kind, None))
        paths = [item.get("path") if isinstance(item, Mapping) else item for item in given]
        problems += [("media_type", kind, item) for item in given if not _is_media(item)]
        found[kind] = Media([path for path in paths if isinstance(path, str)], len(given))
    return found, problems


def has_boxes(objects: Any) -> bool:
    """Whether `objects` of a row has a list of boxes, each of two or four numbers."""
    boxes = objects.get("bbox") if isinstance(objects, Mapping) else None
    return isinstance(boxes, list | tuple) and all(
        isinstance(box, list | tuple) and len(box) in (2, 4) for box in boxes
    )


def _is_media(item: Any) -> bool:
    if isinstance(item, Mapping):
        return item.get("path") is not None or item.get("bytes") is not None
    return isinstance(item, str | bytes)
