"""Messages for servers of OpenAI's protocol, such as vLLM: media as `audio_url`, `video_url`, `image_url`.

A URL is http, https, data, or file; vLLM reads files below the folder that it was started with as
`--allowed-local-media-path`.
"""

from __future__ import annotations

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
        for found in check_messages(PROBLEMS, number, "messages", messages_in(row, "messages")):
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


def shape(columns: Mapping[str, str]) -> dict[str, str]:
    """What the findings of a row depend on; see `shape_sql`."""
    return shape_of(columns, ("messages",))


__all__ = ["PROBLEMS", "TASKS", "Rows", "detect_task", "shape"]
