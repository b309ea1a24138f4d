"""Messages for the processors of transformers: contents are texts, or lists of typed parts.

Qwen2-Audio's template takes a part for sound if it has the key `audio` or `audio_url`, whatever its type and even if
its value is null; otherwise it prints `text`. The processor wants as many sounds as the template printed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ..findings import Finding, Problem, finding
from .json_text import JsonTexts
from .parts import KINDS, SHARED, check_messages, check_path, check_text, detect_task, messages_in, shape_of

TASKS: tuple[str, ...] = ()
_PATH_KEYS = ("path", "url", "file")

PROBLEMS: dict[str, Problem] = {
    **SHARED,
    "null_key": Problem(
        "template", "error", "a part with a null under the key of a medium",
        "Qwen2-Audio's template prints a sound in place of the text", "kept",
        "leave keys without a value out; in Parquet, keep the messages as JSON",
    ),
    "medium_ignored": Problem(
        "template", "error", "a medium that is not under the key of its kind",
        "the template prints nothing for it, and the processor stops: more sounds than placeholders", "crashed",
        'write {"type": "audio", "audio": path}',
    ),
    "url_part": Problem(
        "template", "error", "a medium under `audio_url`, `video_url` or `image_url`",
        "apply_chat_template stops where it loads the media itself", "crashed",
        'write {"type": "audio", "audio": path}',
    ),
    "reasoning_removed": Problem(
        "template", "warning", "<think> in an answer to a question that is a list of parts",
        "Qwen3-Omni's template leaves the reasoning out", "kept", "render such rows without the template",
    ),
    "tool_call_not_shown": Problem(
        "template", "warning", "a tool call", "Qwen2-Audio's template leaves out what is called, and the tools", "kept",
        "train a model whose template has tools",
    ),
    "no_answer": Problem(
        "template", "warning", "the last message is not an answer", "there is nothing to learn", "kept",
        "end with an answer",
    ),
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
        yield from check_typed(PROBLEMS, number, "messages", messages, files=self.files)
        last = messages[-1] if isinstance(messages, list) and messages else None
        if isinstance(last, Mapping) and last.get("role") != "assistant":
            yield finding(PROBLEMS, "no_answer", number, column="messages", value=last.get("role"))


def check_typed(
    problems: Mapping[str, Problem], number: int, column: str, messages: Any, *, files: bool
) -> Iterator[Finding]:
    """Yield what is wrong with messages of typed parts."""
    asked_in_parts = thinks = False
    for found in check_messages(problems, number, column, messages):
        if isinstance(found, Finding):
            yield found
        else:
            message, part = found
            asked_in_parts = asked_in_parts or message["role"] == "user"
            thinks = thinks or (message["role"] == "assistant" and "<think>" in str(part.get("text")))
            yield from _part(problems, number, column, part, files=files)
    if isinstance(messages, list) and any(isinstance(each, Mapping) and each.get("tool_calls") for each in messages):
        yield finding(problems, "tool_call_not_shown", number, column=column)
    for message in messages if asked_in_parts else ():
        content = message.get("content") if isinstance(message, Mapping) else None
        thinks = thinks or (isinstance(content, str) and message["role"] == "assistant" and "<think>" in content)
    if asked_in_parts and thinks:
        yield finding(problems, "reasoning_removed", number, column=column)


def _part(
    problems: Mapping[str, Problem], number: int, column: str, part: Mapping[str, Any], *, files: bool
) -> Iterator[Finding]:
    kind = str(part.get("type", "")).removesuffix("_url")
    if any(key in part and part[key] is None for kind_ in KINDS for key in (kind_, f"{kind_}_url")):
        yield finding(problems, "null_key", number, column=column, value=dict(part))
    elif any(part.get(f"{kind_}_url") is not None for kind_ in KINDS):
        yield finding(problems, "url_part", number, column=column, value=dict(part))
    elif kind in KINDS and isinstance(part.get(kind), str):
        yield from check_path(problems, number, column, part[kind], files=files)
    elif kind in KINDS and any(part.get(key) is not None for key in _PATH_KEYS):
        yield finding(problems, "medium_ignored", number, column=column, value=dict(part))
    elif kind not in KINDS and isinstance(part.get("text"), str):
        yield from check_text(problems, number, column, part["text"])
    else:
        yield finding(problems, "content_part", number, column=column, value=dict(part))


def shape(columns: Mapping[str, str]) -> dict[str, str]:
    """What the findings of a row depend on; see `shape_sql`."""
    return shape_of(columns, ("messages",))


__all__ = ["PROBLEMS", "TASKS", "Rows", "check_typed", "detect_task", "shape"]
