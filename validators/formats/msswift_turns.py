"""How ms-swift reads the messages of a row: columns to messages, providers' formats, roles, contents.

The problems found on the way are collected by code; `msswift_problems.py` says what each means for ms-swift.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .msswift_rows import ALPACA, CONVERSATIONS, KINDS, mapped_columns

USER_ROLES = ("user", "human")
ASSISTANT_ROLES = ("assistant", "gpt", "bot")
_LETTERS = {
    "system": "s",
    **dict.fromkeys(USER_ROLES, "u"),
    **dict.fromkeys(ASSISTANT_ROLES, "a"),
    **dict.fromkeys(("tool_call", "function_call", "function-call"), "c"),
    **dict.fromkeys(
        ("tool", "tool_response", "function_response", "function-response", "observation", "observations"), "t"
    ),
}
_MESSAGE_KEYS = {"role", "from", "content", "value", "loss", "loss_scale", "tool_calls"}
_NAMED = {"tool", "tool_response"}  # roles that keep the key `name`
TOOL_ROLES = tuple(role for role, letter in _LETTERS.items() if letter == "c")


@dataclass(slots=True)
class Conversation:
    """A row's messages as ms-swift reads them. `turns` is None if it reads none at all.

    Attributes:
        from_query: Whether they were made of a question's and an answer's columns.
        letters: One letter per message: s(ystem), u(ser), a(ssistant), c(all of a tool), t(ool's answer), x for an
            unknown role.
        contents: The original contents; `texts` has tags in place of content parts.
        media: Paths from content parts, by kind.
        problems: Code, detail and value of each problem found.
    """

    turns: list[Any] | None = None
    from_query: bool = False
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
        letter = _LETTERS.get(role, "x") if isinstance(role, str) else "x"
        if letter == "c" and content is not None and not is_call(content):
            self.problem("tool_call", f"message {position}", content)
        if letter not in "ct" and content is not None and not isinstance(content, str if letter == "s" else str | list):
            self.problem("content_type", f"message {position}", content)
        self.letters += letter
        self.roles.append(str(role))
        self.contents.append(content)
        self.texts.append(json.dumps(content) if letter in "ct" and _is_no_text(content) else self._text(content))

    def _role(self, position: int, message: Mapping[str, Any]) -> Any:
        role = _last(message, "role", "from")
        if role is _ABSENT:
            self.problem("message_keys", f"message {position} has no role", dict(message))
            return None
        if not isinstance(role, str) or role not in _LETTERS:
            self.problem("unknown_role", f"message {position}", role)
        if message.get("loss") is not None and not isinstance(message["loss"], int):
            self.problem("bad_loss", f"message {position}", message["loss"])
        scale = message.get("loss_scale")
        if scale is not None and not isinstance(scale, int | float) and _LETTERS.get(str(role)) in ("a", "c"):
            self.problem("bad_loss_scale", f"message {position}", scale)
        further = sorted(set(message) - _MESSAGE_KEYS - ({"name"} if role in _NAMED else set()))
        if further:
            self.problem("extra_message_keys", f"message {position} has {', '.join(further)}")
        return role

    def _content(self, position: int, message: Mapping[str, Any]) -> Any:
        content = _last(message, "content", "value")
        if content is _ABSENT:
            self.problem("message_keys", f"message {position} has no content", dict(message))
            return None
        if content is None:
            self.problem("null_content", f"message {position}")
        if isinstance(content, list) and not all(isinstance(part, Mapping) for part in content):
            self.problem("content_part" if self.from_query else "content_not_parts", f"message {position}", content)
        return content

    def _text(self, content: Any) -> str:
        if isinstance(content, list):
            return "".join(self._part(part) for part in content if isinstance(part, Mapping))
        return content if isinstance(content, str) else ""

    def _part(self, part: Mapping[str, Any]) -> str:
        kind = part.get("type")
        if not isinstance(kind, str):
            self.problem("content_part", "no type", value=dict(part))
            return ""
        value = part.get(kind)
        if kind == "text":
            if not isinstance(value, str):
                self.problem("content_part", "a text part without text", value=dict(part))
            return value if isinstance(value, str) else ""
        kind = kind.removesuffix("_url")
        if isinstance(value, Mapping):
            if "url" not in value:
                self.problem("content_part", "no url", value=dict(part))
            value = value.get("url")
        if not value:
            self.problem("content_media_ignored", value=dict(part))
        elif f"{kind}s" not in self.media:
            self.problem("content_part", f"{kind!r} is no kind of media", value=dict(part))
        else:
            self.media[f"{kind}s"].append(str(value))
        return f"<{kind}>"


def read_conversation(row: Mapping[str, Any]) -> Conversation:
    """Return the messages of a row, from the columns that ms-swift would use."""
    found = Conversation()
    mapped = mapped_columns(row)
    system = mapped.get("system")
    if any(name in row for name in CONVERSATIONS):
        messages = _read_messages(mapped.get("messages"), found)
    else:
        found.from_query = True
        messages = _from_query(row, mapped, found)
    if messages is None:
        return found
    found.turns = messages
    if system is not None and not _is_system(messages[0]):
        found.turns = [{"role": "system", "content": system}, *messages]
    for position, message in enumerate(found.turns):
        found.add(position, message)
    return found


def _read_messages(value: Any, found: Conversation) -> list[Any] | None:
    """The list of messages, in ms-swift's own format; None if it finds none."""
    if isinstance(value, str) and value:
        try:
            value = parse(value)
        except ValueError:
            found.problem("unparseable_messages", value=value)
            return None
    if not value or isinstance(value, str):
        found.problem("empty_messages")
        return None
    if not isinstance(value, list | tuple):
        found.problem("unparseable_messages", value=value)
        return None
    return _from_pairs(list(_from_provider(list(value), found)))


def parse(text: str) -> Any:
    """Read JSON, else a Python literal.

    Raises:
        ValueError: It is neither.
    """
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        pass
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError) as error:
        raise ValueError(str(error)) from error


def is_call(content: Any) -> bool:
    """Whether the content of a tool call has a name and arguments."""
    try:
        call = parse(content) if isinstance(content, str) else content
        if not isinstance(call, Mapping) or "name" not in call:
            return False
        arguments = call.get("arguments")
        arguments = call.get("parameters") if arguments is None else arguments
        return (parse(arguments) if isinstance(arguments, str) else arguments) is not None
    except ValueError:
        return False


def are_tools(value: Any) -> bool:
    """Whether the column `tools` is empty, or has an object or a list of objects, each as it is or as JSON."""
    if not value:
        return True
    try:
        tools = parse(value) if isinstance(value, str) else value
        listed = tools if isinstance(tools, list | tuple) else [tools]
        return all(isinstance(parse(each) if isinstance(each, str) else each, Mapping) for each in listed)
    except ValueError:
        return False


def _from_provider(messages: list[Any], found: Conversation) -> Iterator[Any]:
    """Messages of OpenAI's or Anthropic's format as ms-swift's own; anything else unchanged."""
    known = [message for message in messages if isinstance(message, Mapping)]
    if any(message.get("tool_calls") for message in known):
        for message in messages:
            yield from _from_openai(message, found)
    elif any(_is_anthropic(part) for message in known for part in _parts(message)):
        for message in messages:
            yield from _from_anthropic(message, found)
    else:
        yield from messages


def _parts(message: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    content = message.get("content")
    return [part for part in content if isinstance(part, Mapping)] if isinstance(content, list) else []


def _is_anthropic(part: Mapping[str, Any]) -> bool:
    return part.get("type") in ("tool_use", "tool_result") or (part.get("type") == "image" and "source" in part)


def _from_openai(message: Any, found: Conversation) -> Iterator[Any]:
    calls = message.get("tool_calls") if isinstance(message, Mapping) and message.get("role") == "assistant" else None
    if not calls:
        yield message
        return
    if message.get("content"):
        yield {key: message[key] for key in message if key in ("role", "content", "loss", "loss_scale")}
    for call in calls if isinstance(calls, list) else [calls]:
        function = call.get("function", call) if isinstance(call, Mapping) else {}
        if not isinstance(function, Mapping) or "name" not in function:
            found.problem("tool_call_name", value=call)
            function = {"name": ""}
        content = {"name": function["name"], "arguments": function.get("arguments", {})}
        yield {"role": "tool_call", "content": content}


def _from_anthropic(message: Any, found: Conversation) -> Iterator[Any]:
    if not isinstance(message, Mapping) or not isinstance(message.get("content"), list):
        yield message
        return
    pending: list[Mapping[str, Any]] = []
    for part in message["content"]:
        kind = part.get("type") if isinstance(part, Mapping) else None
        if kind in ("tool_use", "tool_result"):
            if pending:
                yield {**message, "content": pending}
            pending = []
            call = {"name": part.get("name"), "arguments": part.get("input", {})}
            yield (
                {"role": "tool_call", "content": call}
                if kind == "tool_use"
                else {
                    "role": "tool_response",
                    "content": part.get("content", ""),
                }
            )
        elif kind == "text":
            pending.append({"type": "text", "text": part.get("text", "")})
        elif kind == "image" and (path := _image_source(part)):
            pending.append({"type": "image", "image": path})
        else:
            found.problem("provider_block", value=part)
    if pending:
        yield {**message, "content": pending}


def _image_source(part: Mapping[str, Any]) -> str | None:
    source = part.get("source") or {}
    if source.get("type") == "url":
        return source.get("url") or None
    if source.get("type") == "base64" and source.get("media_type") and source.get("data"):
        return f"data:{source['media_type']};base64,{source['data']}"
    return None


def _from_query(row: Mapping[str, Any], mapped: Mapping[str, Any], found: Conversation) -> list[Any] | None:
    """The messages of an Alpaca or query/response row: a null side is left out."""
    query, response = mapped.get("query"), mapped.get("response")
    if all(name in row for name in ALPACA):
        first, second = (row[name] for name in ALPACA)
        query = f"{first}\n{second}" if first and second else first or second
        if not isinstance(query, str):
            found.problem("bad_query", value=query)
    if isinstance(response, list | tuple):
        if not response:
            found.problem("bad_response")
        response = response[0] if response else None
    pairs = [*_history(row.get("history"), found), (query, response)]
    messages = [
        {"role": role, "content": content}
        for pair in pairs
        for role, content in zip(("user", "assistant"), pair, strict=False)
        if content is not None
    ]
    if not messages and mapped.get("system") is None:
        found.problem("empty_messages")
        return None
    return messages or [{"role": "system", "content": mapped["system"]}]


def _history(value: Any, found: Conversation) -> Sequence[Any]:
    try:
        pairs = (ast.literal_eval(value) if isinstance(value, str) and value else value) or []
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        pairs = None
    if not isinstance(pairs, list) or not all(isinstance(pair, list | tuple) and len(pair) >= 2 for pair in pairs):
        found.problem("bad_history", value=value)
        return []
    return pairs


def _from_pairs(messages: list[Any]) -> list[Any]:
    """Convert ShareGPT pairs `{human: ..., assistant: ...}` to messages; leave anything else unchanged."""
    first = messages[0]
    if not isinstance(first, Mapping) or {"role", "from", "content", "value"} & set(first):
        return messages
    sides = (USER_ROLES, ASSISTANT_ROLES)
    if not all(isinstance(pair, Mapping) and all(set(side) & set(pair) for side in sides) for pair in messages):
        return messages
    return [{"role": side[0], "content": _last(pair, *side)} for pair in messages for side in sides]


def _is_system(message: Any) -> bool:
    return isinstance(message, Mapping) and _last(message, "role", "from") == "system"


def _is_no_text(content: Any) -> bool:
    return content is not None and not isinstance(content, str)


_ABSENT: Any = object()


def _last(message: Mapping[str, Any], *keys: str) -> Any:
    """The value of the last of these keys that a message has: ms-swift renames one after the other."""
    return next((message[key] for key in reversed(keys) if key in message), _ABSENT)
