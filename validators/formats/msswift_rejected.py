"""The rejected side of a preference row, as ms-swift 4.6 makes a second row of its `rejected_` columns.

`rejected_response` takes the place of everything after the last user message, and the rejected side then has the media
and columns of the chosen one where it has none of its own. `rejected_messages` is a conversation by itself that
inherits nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from .msswift_rows import KINDS, media_column
from .msswift_turns import Conversation, read_conversation

TURN_RULES = {
    "no_turns": "^s?$",
    "system_not_first": ".s",
    "alternation": "^s?t|[ac]t+u",
}
"""Turns that cannot be encoded, as letters of `Conversation`. A tool's answer after a user turn becomes part of it."""

_FOUND_BY_ENCODING = ("content_type", "content_part", "tool_call", "bad_loss_scale", "unknown_role")

Found = tuple[str, str, str, Any]
"""Code, column, detail and value of a problem."""


def rejected_problems(row: Mapping[str, Any], chosen: Conversation, *, is_needed: bool) -> Iterator[Found]:
    """Yield the problems of the rejected side.

    Args:
        is_needed: Whether training needs one.
    """
    named = [key for key in row if key.startswith("rejected_") and row[key] is not None]
    named = [key for key in named if key != "rejected_messages" or row[key]]  # an empty conversation is none
    present = [key for key in row if key.startswith("rejected_")]
    if "rejected_response" in row:
        yield from _response(row["rejected_response"], chosen)
    if "rejected_messages" in named:
        yield from _messages(row["rejected_messages"], is_compared="rejected_response" not in row)
        for kind in KINDS:
            if row.get(kind) and f"rejected_{kind}" not in named:
                yield "rejected_without_media", f"rejected_{kind}", "", None
    if is_needed and not present:
        yield "missing_rejected", "rejected_response", "", None
    if is_needed and present and "rejected_response" not in row and _repeats(row, named):
        yield "rejected_is_chosen", present[0], "", None
    for kind in KINDS:
        _, problems = media_column(kind, row.get(f"rejected_{kind}"))
        yield from ((code, f"rejected_{kind}", "", value) for code, _, value in problems)


def _repeats(row: Mapping[str, Any], named: list[str]) -> bool:
    """Whether the rejected side has the chosen side's messages and media."""
    if "rejected_messages" in named:
        own = row["rejected_messages"] == row.get("messages")
        return own and all(row.get(f"rejected_{kind}") == row.get(kind) for kind in KINDS)
    return all(row[f"rejected_{kind}"] == row.get(kind) for kind in KINDS if f"rejected_{kind}" in named)


def _response(rejected: Any, chosen: Conversation) -> Iterator[Found]:
    column = "rejected_response"
    if rejected is None:
        yield "rejected_null", column, "", None
    elif isinstance(rejected, str):
        if chosen.contents and rejected == chosen.contents[-1]:
            yield "rejected_equals_answer", column, "", rejected
    elif not isinstance(rejected, list):
        yield "rejected_type", column, f"a {type(rejected).__name__}", rejected
    else:
        yield from _trajectory(rejected, chosen)


def _trajectory(rejected: list[Any], chosen: Conversation) -> Iterator[Found]:
    """A list of messages in the place of the answer; unlike others they must have the keys `role` and `content`."""
    column = "rejected_response"
    if not all(isinstance(each, Mapping) and "role" in each for each in rejected):
        yield "rejected_type", column, "a message without role", rejected
        return
    if any(each["role"] == "user" for each in rejected):
        yield "rejected_user", column, "", rejected
        return
    if not all("content" in each for each in rejected):
        yield "rejected_type", column, "a message without content", rejected
        return
    after = chosen.letters.rfind("u") + 1
    answer = chosen.contents[after:]
    if len(answer) == len(rejected) == 1 and rejected[0]["content"] == answer[0]:
        yield "rejected_repeats_answer", column, "", rejected
        return
    if not rejected or rejected[-1]["content"] is None:
        yield "rejected_without_text", column, "", None
    whole = Conversation()
    for position, each in enumerate(rejected):
        whole.add(position, each)
    is_own = all(each["role"] in ("assistant", "tool_call", "tool_response", "tool") for each in rejected)
    if not is_own or _cannot_be_encoded(chosen.letters[:after] + whole.letters, whole):
        yield "rejected_turns", column, "", " ".join(str(each["role"]) for each in rejected)


def _messages(value: Any, *, is_compared: bool) -> Iterator[Found]:
    column = "rejected_messages"
    rejected = read_conversation({"messages": value})
    if rejected.turns is None:
        if value and any(code == "unparseable_messages" for code, _, _ in rejected.problems):
            yield "rejected_unread", column, "", value
        return
    if any(code in ("message_keys", "content_not_parts", "provider_block") for code, _, _ in rejected.problems):
        yield "rejected_unread", column, "", value
    elif is_compared and _cannot_be_encoded(rejected.letters, rejected):
        yield "rejected_turns", column, "", " ".join(rejected.roles)
    if is_compared and (rejected.contents[-1] is None or rejected.letters[-1] in "ut"):
        yield "rejected_without_text", column, "", None


def _cannot_be_encoded(letters: str, rejected: Conversation) -> bool:
    found = {code for code, _, _ in rejected.problems}
    return (
        "x" in letters
        or bool(found.intersection(_FOUND_BY_ENCODING))
        or any(re.search(pattern, letters) for pattern in TURN_RULES.values())
    )
