"""Read conversations in any common spelling as `messages` with media tags.

Supported are `role`/`content` and `from`/`value`, the role names of ShareGPT, OpenAI and MS-SWIFT, pairs of `human`
and `assistant`, lists of content parts, and the inline form `<audio>/path.wav</audio>text`. In `messages` each media
item is a tag, `<audio>`, `<video>` or `<image>`; the media themselves are listed in the order of the tags.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ....shards.json_objects import RepeatedKeyError, parse
from ....shards.sample import MEDIA_KINDS
from ...candidate import bad_cell
from ...views.prompts import choice_introductions
from ..tables.cells import OWN_SPAN, own_span
from ..tables.object_lists import as_objects
from .message_keys import in_order_of_calls, spoken, take_reasoning, trained_on

ROLES: Mapping[str, str] = {
    "system": "system",
    **dict.fromkeys(("user", "human"), "user"),
    **dict.fromkeys(("assistant", "gpt", "bot", "model", "chatgpt"), "assistant"),
    **dict.fromkeys(("tool_call", "tool-call", "function_call", "function-call"), "tool_call"),
    **dict.fromkeys(("tool_response", "tool-response", "function_response", "function-response"), "tool_response"),
    **dict.fromkeys(("observation", "observations", "tool"), "tool_response"),
}
"""Spelling -> the role as stored in samples."""

TAG = re.compile("<(image|video|audio)>")
_ESCAPED = {kind: re.compile(rf"&lt;{kind}(?:>|&gt;)|<{kind}&gt;", re.IGNORECASE) for kind in MEDIA_KINDS}
_INLINE = re.compile(r"<(image|video|audio)>([^<>\n]+)</\1>")
_LEADING = re.compile(r"(?:<(?:image|video|audio)>)+\n?")
_THINK = re.compile(r"\s*<think>(.*?)</think>\s*(.*\S)\s*", re.DOTALL | re.IGNORECASE)
_PART_KEYS = ("url", "path", "file")


@dataclass(slots=True)
class Dialogue:
    """A conversation: its messages, the media named in their text, and further keys of the messages."""

    messages: list[dict[str, str]] = field(default_factory=list)
    media: list[tuple[str, Any]] = field(default_factory=list)
    further: list[dict[str, Any]] = field(default_factory=list)

    @property
    def roles(self) -> list[str]:
        return [message["role"] for message in self.messages]

    def say(self, role: str, content: str) -> None:
        """Add a turn at the end."""
        self.messages.append({"role": role, "content": content})
        self.further.append({})

    def open_with(self, system: Any) -> bool:
        """Insert a system turn at the start, unless the conversation has one; returns whether it did."""
        if not isinstance(system, str) or not system or self.roles[:1] == ["system"]:
            return False
        self.messages.insert(0, {"role": "system", "content": system})
        self.further.insert(0, {})
        return True

    def extra(self) -> dict[str, Any]:
        """Keys of messages other than role and content (`loss`, `name` ...), one object per message; empty if none."""
        return {"message_keys": self.further} if any(self.further) else {}


def read_dialogue(column: str, value: Any, *, inline: bool = False) -> Dialogue:
    """Read the conversation in a cell.

    Args:
        inline: Whether `<audio>/path.wav</audio>` refers to media.

    Raises:
        RowError: It is invalid: reason `no_messages`, `bad_messages`, `unknown_role` or `null_content`.
    """
    turns = as_objects(_parsed(column, value))
    if not isinstance(turns, list) or not turns:
        raise bad_cell(column, value, "a list of messages", reason="no_messages" if not turns else "bad_messages")
    dialogue = Dialogue()
    for turn in in_order_of_calls(_from_pairs(turns)):
        _add(dialogue, column, turn, inline=inline)
    return dialogue


def _parsed(column: str, value: Any) -> Any:
    """Parse a conversation written as text, in JSON or as a Python literal."""
    if not isinstance(value, str):
        return value
    try:
        return parse(value)
    except RepeatedKeyError as error:
        raise bad_cell(column, value, f"JSON with each key once ({error})") from None
    except (ValueError, RecursionError):
        pass
    try:
        return ast.literal_eval(value)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        raise bad_cell(column, value, "a list of messages", reason="bad_messages") from None


def _from_pairs(turns: list[Any]) -> list[Any]:
    """Convert ShareGPT pairs `{human: ..., assistant: ...}` to turns; anything else is unchanged."""
    if not all(isinstance(turn, Mapping) and not {"role", "from", "content", "value"} & set(turn) for turn in turns):
        return turns
    return [{"role": role, "content": text} for pair in turns for role, text in pair.items()]


def _add(dialogue: Dialogue, column: str, turn: Any, *, inline: bool) -> None:
    if not isinstance(turn, Mapping):
        raise bad_cell(column, turn, "messages with role and content", reason="bad_messages")
    role_key = "role" if "role" in turn else "from"
    content_key = "content" if "content" in turn else "value"
    role = ROLES.get(str(turn.get(role_key)).lower())
    if role is None:
        raise bad_cell(column, turn.get(role_key), f"a role: {', '.join(sorted(ROLES))}", reason="unknown_role")
    content = turn.get(content_key)
    if content is None and not turn.get("tool_calls"):
        raise bad_cell(column, dict(turn), "a message with content", reason="null_content")
    text = _text(dialogue, column, content, inline=inline)
    further = {key: value for key, value in turn.items() if key not in (role_key, content_key) and value is not None}
    further = trained_on(column, role, further)
    if role == "assistant" and "</think>" not in text and (reasoning := take_reasoning(further)) is not None:
        text = f"<think>{reasoning}</think>{text}"
    calls = spoken(further.get("tool_calls")) if role == "assistant" else []
    if calls:
        del further["tool_calls"]
    if text or not calls:
        dialogue.say(role, text)
        dialogue.further[-1] = further
    for call in calls:
        dialogue.say("tool_call", call)
        dialogue.further[-1] = {key: further[key] for key in ("loss", "loss_scale") if key in further}


def _text(dialogue: Dialogue, column: str, content: Any, *, inline: bool) -> str:
    """The content of a message as text with tags; its media are added to the dialogue."""
    if content is None:
        return ""
    if isinstance(content, list):
        return "".join(_part(dialogue, column, part) for part in content)
    if not isinstance(content, str):
        raise bad_cell(column, content, "content as text or a list of parts", reason="bad_messages")
    if not inline:
        return content
    dialogue.media += [(kind, path.strip()) for kind, path in _INLINE.findall(content)]
    return _INLINE.sub(r"<\1>", content)


def _part(dialogue: Dialogue, column: str, part: Any) -> str:
    """A content part: text, or media under the name of its kind or as its URL or path."""
    if isinstance(part, str):
        return part
    if not isinstance(part, Mapping):
        raise bad_cell(column, part, "a content part", reason="bad_messages")
    for kind in MEDIA_KINDS:
        if str(part.get("type", kind)).removesuffix("_url") != kind:
            continue
        value = next((part[key] for key in (kind, f"{kind}_url", *_PART_KEYS) if part.get(key) is not None), None)
        if isinstance(value, Mapping):
            value = next((value[key] for key in _PART_KEYS if value.get(key) is not None), None)
        if value is not None:
            if (stated := own_span(part)) is not None:
                raise bad_cell(f"{column}.{stated}", part[stated], OWN_SPAN, reason="span_unsupported")
            dialogue.media.append((kind, value))
            return f"<{kind}>"
    if isinstance(part.get("text"), str):
        return str(part["text"])
    raise bad_cell(column, dict(part), "a content part of text, audio, video or image", reason="bad_messages")


def fit_tags(column: str, dialogue: Dialogue, media: Mapping[str, int]) -> None:
    """Make the number of tags match the media, as MS-SWIFT does: missing tags are put at the start of the first turn.

    A conversation without any tags is left unchanged: views insert them where their format requires.

    Raises:
        RowError: There are more tags than media (`tag_without_media`): part of the question is missing. Or a tag was
            escaped for HTML (`escaped_tag`): the model would read it as text, in its place.
    """
    texts = "\n".join(message["content"] for message in dialogue.messages)
    missing = ""
    for kind in ("image", "video", "audio"):
        tags = texts.count(f"<{kind}>")
        if tags > media.get(kind, 0):
            raise bad_cell(
                column, texts, f"{media.get(kind, 0)} <{kind}>, one per media file", reason="tag_without_media"
            )
        if tags < media.get(kind, 0) and (escaped := _ESCAPED[kind].search(texts)):
            raise bad_cell(column, escaped[0], f"the tag <{kind}>, not escaped", reason="escaped_tag")
        missing += f"<{kind}>" * (media.get(kind, 0) - tags)
    if missing and TAG.search(texts):
        first = next(message for message in dialogue.messages if message["role"] != "system")
        first["content"] = missing + first["content"]


def exchange_fields(messages: Iterable[Mapping[str, str]]) -> dict[str, Any]:
    """Question, choices, reasoning and answer of a single exchange; empty for a longer conversation."""
    turns = [message for message in messages if message["role"] != "system"]
    if [turn["role"] for turn in turns] not in (["user", "assistant"], ["user"]):
        return {}
    question, choices = split_choices(TAG.sub("", _LEADING.sub("", turns[0]["content"], count=1)))
    fields: dict[str, Any] = {"question": question if question.strip() else None, "choices": choices}
    return fields | (answer_fields(turns[1]["content"]) if len(turns) == 2 else {})


def answer_fields(text: str) -> dict[str, str | None]:
    """An answer, and the reasoning before it if that is in `<think>` tags."""
    thought = _THINK.fullmatch(text)
    if thought is None:
        return {"answer": text or None}
    return {"reasoning": thought[1].strip() or None, "answer": thought[2]}


def split_choices(question: str) -> tuple[str, list[str] | None]:
    """Split a question as our own prompts write it into the question itself and its choices."""
    for introduction in choice_introductions():
        stem, found, listed = question.rpartition(f"{introduction}\n- ")
        if found and "\n\n" not in listed:
            return stem, listed.split("\n- ")
    return question, None
