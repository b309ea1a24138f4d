"""The conversations of a row, whatever its form: turns of `role` and `content`, with a tag where a medium stands.

A row holds them as `messages` or `conversations`, or in `prompt`, `completion`, `chosen` and `rejected`; contents are
texts or lists of parts, turns of Python values or JSON. A pair of answers is two conversations.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from ...shards.exports.media_places import KINDS, MESSAGE_COLUMNS
from .limits import CONVERSATIONS

COLUMNS = ("messages", "conversations", "prompt", "completion", "chosen", "rejected", "rejected_response", "system")
"""The columns from which conversations are read, as far as a row has them."""

_ROLES = {"human": "user", "gpt": "assistant"}
_TOOLS = ("tool", "tool_call", "tool_response", "function_call", "observation")
_INLINE = re.compile(f"<({'|'.join(KINDS)})>[^<>\\n]+</\\1>")

Turn = dict[str, str]


def conversation_columns(types: Mapping[str, str]) -> list[str]:
    """The columns of rows that hold conversations; none if there are only parts of some.

    Args:
        types: Name -> type of DuckDB. `prompt` and the like hold messages where they are JSON or structs.
    """
    found = [name for name in COLUMNS if name in types and _holds_turns(name, types[name])]
    return found if any(name in found for name in CONVERSATIONS) else []


def _holds_turns(name: str, type_: str) -> bool:
    return name not in MESSAGE_COLUMNS or type_ == "JSON" or type_.startswith("STRUCT")


def conversations_in(row: Mapping[str, Any]) -> list[list[Turn]]:
    """The conversations of a row: one, or one for each of two answers."""
    asked = _turns(next(row[name] for name in CONVERSATIONS if row.get(name) is not None))
    if row.get("system"):
        asked = [{"role": "system", "content": row["system"]}, *asked]
    if row.get("rejected_response") is not None:
        return [asked, [*asked[:-1], {"role": "assistant", "content": row["rejected_response"]}]]
    answers = [_turns(row[name]) for name in ("completion", "chosen", "rejected") if row.get(name) is not None]
    return [[*asked, *answer] for answer in answers] or [asked]


def has_tools(turns: Sequence[Turn]) -> bool:
    """Whether a conversation calls tools: each trainer writes calls and answers in its own way."""
    return any(turn["role"] in _TOOLS for turn in turns)


def _turns(value: Any) -> list[Turn]:
    listed = json.loads(value) if isinstance(value, str) else value
    return [_turn(turn) for turn in ([listed] if isinstance(listed, Mapping) else listed)]


def _turn(turn: Mapping[str, Any]) -> Turn:
    role = turn["role"] if "role" in turn else _ROLES.get(turn["from"], turn["from"])
    content = turn["content"] if "content" in turn else turn["value"]
    if isinstance(content, list):
        content = "".join(_part(part) for part in content)
    if turn.get("tool_calls"):
        role = "tool_call"
    return {"role": role, "content": _INLINE.sub(r"<\1>", content or "")}


def _part(part: Mapping[str, Any]) -> str:
    return part["text"] if part["type"] == "text" else f"<{part['type'].removesuffix('_url')}>"
