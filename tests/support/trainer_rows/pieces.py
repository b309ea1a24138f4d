"""The pieces that rows are made of."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

Row = dict[str, Any]
Named = Iterator[tuple[str, Row]]

CALL = '{"name": "f", "arguments": {}}'
AUDIO, OTHER, VIDEO, IMAGE = "$/a.wav", "$/b.wav", "$/v.mp4", "$/p.png"


def user(content: Any) -> Row:
    return {"role": "user", "content": content}


def assistant(content: Any) -> Row:
    return {"role": "assistant", "content": content}


def system(content: Any) -> Row:
    return {"role": "system", "content": content}


def pair(question: Any = "<audio>q", answer: Any = "y", **columns: Any) -> Row:
    """A question with its answer."""
    return {"messages": [user(question), assistant(answer)], **columns}


def spoken(**columns: Any) -> Row:
    """A plain good row about one sound."""
    return pair(audios=[AUDIO], **columns)
