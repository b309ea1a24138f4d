"""Messages for servers of OpenAI's protocol, such as vLLM: media as `audio_url`, `video_url`, `image_url`.

A URL is http, https, data, or file; vLLM reads files below the folder that it was started with as
`--allowed-local-media-path`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from ..findings import Finding, Problem, finding
from .json_text import JsonTexts
from .parts import SHARED, check_messages, check_path, check_text, detect_task, messages_in, shape_of

TASKS: tuple[str, ...] = ()
SCHEMES = ("http://", "https://", "data:", "file://")
_URLS = ("image_url", "video_url", "audio_url")
_REFUSES = "the server refuses the request"

PROBLEMS: dict[str, Problem] = {
    **SHARED,
    "unknown_part": Problem(
        "request", "error", "a part of a type that the protocol does not have", _REFUSES, "crashed",
        'write {"type": "audio_url", "audio_url": {"url": ...}}',
    ),
    "no_url": Problem("request", "error", "a medium without a URL", _REFUSES, "crashed", "name its url"),
    "unsupported_url": Problem(
        "request", "error", f"a URL that does not start with {', '.join(SCHEMES)}", _REFUSES, "crashed",
        "write file:// before an absolute path",
    ),
    "tool_call": Problem(
        "request", "error", "a tool call without an id, the name of a function, or arguments as a text of JSON",
        _REFUSES, "crashed", 'write {"id": ..., "type": "function", "function": {"name": ..., "arguments": "{...}"}}',
    ),
    "tool_answer": Problem(
        "request", "error", "tool calls and answers that do not belong together", _REFUSES, "crashed",
        "after a message with calls, write one message of the role tool for each, with its tool_call_id",
    ),
    "no_data": Problem("request", "error", "`input_audio` without data and format", _REFUSES, "crashed", "write both"),
}  # fmt: skip


class Rows:
    """Validates rows one by one."""

    def __init__(self, *, task: str | None = None, files: bool = True) -> None:
        self.files = files
        self.texts = JsonTexts()

    def check(self, number: int, row: Mapping[str, Any]) -> Iterator[Finding]:
        """Yield the findings of one row."""
        yield from self.texts.check(number, row, ("messages",))
        messages = messages_in(row, "messages")
        yield from _tools(number, messages)
        for found in check_messages(PROBLEMS, number, "messages", messages):
            if isinstance(found, Finding):
                yield found
            else:
                yield from self._part(number, found[1])

    def _part(self, number: int, part: Mapping[str, Any]) -> Iterator[Finding]:
        kind = part.get("type")
        if kind == "text" and isinstance(part.get("text"), str):
            yield from check_text(PROBLEMS, number, "messages", part["text"])
        elif kind == "input_audio":
            held = part.get("input_audio")
            if not isinstance(held, Mapping) or not held.get("data") or not held.get("format"):
                yield finding(PROBLEMS, "no_data", number, column="messages", value=dict(part))
        elif kind not in _URLS:
            yield finding(PROBLEMS, "unknown_part", number, column="messages", value=dict(part))
        else:
            held = part.get(str(kind))
            url = held.get("url") if isinstance(held, Mapping) else held
            if not isinstance(url, str) or not url:
                yield finding(PROBLEMS, "no_url", number, column="messages", value=dict(part))
            elif not url.startswith(SCHEMES):
                yield finding(PROBLEMS, "unsupported_url", number, column="messages", value=url)
            else:
                yield from check_path(PROBLEMS, number, "messages", url, files=self.files)


def _tools(number: int, messages: Any) -> Iterator[Finding]:
    """Yield what is wrong with tool calls, and with the answers to them."""
    waiting: set[str] = set()
    for message in messages if isinstance(messages, list) else ():
        if not isinstance(message, Mapping):
            continue
        answered = message.get("tool_call_id")
        if message.get("role") == "tool" and answered in waiting:
            waiting.discard(str(answered))
        elif message.get("role") == "tool" or waiting:
            yield finding(PROBLEMS, "tool_answer", number, column="messages", value=answered)
            waiting = set()
        calls = message.get("tool_calls")
        for call in calls if isinstance(calls, list) else [calls] if calls else []:
            if not _is_call(call):
                yield finding(PROBLEMS, "tool_call", number, column="messages", value=call)
            elif call["id"] in waiting:
                yield finding(PROBLEMS, "tool_answer", number, column="messages", value=call["id"])
            else:
                waiting.add(call["id"])
    if waiting:
        yield finding(PROBLEMS, "tool_answer", number, column="messages", value=sorted(waiting))


def _is_call(call: Any) -> bool:
    function = call.get("function") if isinstance(call, Mapping) else None
    if not isinstance(function, Mapping) or not all(
        isinstance(each, str) for each in (call.get("id"), function.get("name"))
    ):
        return False
    try:
        return isinstance(json.loads(function["arguments"]), Mapping)
    except (KeyError, TypeError, ValueError, RecursionError):
        return False


def shape(columns: Mapping[str, str]) -> dict[str, str]:
    """What the findings of a row depend on; see `shape_sql`."""
    return shape_of(columns, ("messages",))


__all__ = ["PROBLEMS", "TASKS", "Rows", "detect_task", "shape"]
