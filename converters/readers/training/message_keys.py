"""What a message says beside its role and content: whether it is trained on, its reasoning, its tool calls.

Tools write the same things under different keys. They are brought to one form: `loss` (true or false) and `loss_scale`,
which MS-SWIFT reads; reasoning as `<think>...</think>` in front of the content; tool calls as messages of their own.
"""

from __future__ import annotations

import contextlib
import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from ...candidate import bad_cell

MASKS = ("weight", "train", "training")
"""Other names of `loss`: OpenAI's `weight` (0 or 1), and flags of other trainers."""
REASONING = ("reasoning_content", "reasoning", "thinking")
_TOOL_ROLES = ("tool", "tool_response", "tool-response")
_TRUTH = {"true": True, "false": False, "1": True, "0": False}


def trained_on(column: str, role: str, keys: Mapping[str, Any]) -> dict[str, Any]:
    """Return the keys of a message with `loss` as a truth value and `loss_scale` as a number.

    Raises:
        RowError: One of them is something else: a trainer would take any text for true.
    """
    found = dict(keys)
    if role == "assistant" and "loss" not in found:
        mask = next((key for key in MASKS if _truth(found.get(key)) is not None), None)
        if mask is not None:
            found["loss"] = found.pop(mask)
    if "loss" in found:
        loss = _truth(found["loss"])
        if loss is None:
            raise bad_cell(column, found["loss"], "`loss` of a message to be true or false")
        found["loss"] = loss
    if "loss_scale" in found:
        found["loss_scale"] = _number(column, found["loss_scale"])
    return found


def _truth(value: Any) -> bool | None:
    if isinstance(value, bool):
        return value
    return _TRUTH.get(str(value).lower()) if isinstance(value, int | str) else None


def _number(column: str, value: Any) -> float:
    try:
        number = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not math.isfinite(number):
        raise bad_cell(column, value, "`loss_scale` of a message to be a number")
    return number


def take_reasoning(keys: dict[str, Any]) -> str | None:
    """Remove and return the reasoning of a message that is written beside its content."""
    for key in REASONING:
        if isinstance(keys.get(key), str) and keys[key].strip():
            return str(keys.pop(key)).strip()
    return None


def spoken(calls: Any) -> list[str]:
    """Tool calls as the contents of `tool_call` messages: JSON with name and arguments; empty if they are none."""
    if not isinstance(calls, Sequence) or isinstance(calls, str):
        return []
    found = []
    for call in calls:
        function = call.get("function", call) if isinstance(call, Mapping) else None
        if not isinstance(function, Mapping) or "name" not in function:
            return []
        arguments = function.get("arguments", {})
        if isinstance(arguments, str):
            with contextlib.suppress(ValueError, RecursionError):  # kept as text
                arguments = json.loads(arguments)
        found.append(json.dumps({"name": function["name"], "arguments": arguments}, ensure_ascii=False))
    return found


def in_order_of_calls(turns: Sequence[Any]) -> list[Any]:
    """The turns with the responses to several tool calls in the order of the calls, which their ids tell.

    A conversation without ids matches calls and responses by their order.
    """
    ordered = list(turns)
    for place, turn in enumerate(ordered):
        calls = turn.get("tool_calls") if isinstance(turn, Mapping) else None
        if not isinstance(calls, list) or len(calls) < 2 or not all(isinstance(call, Mapping) for call in calls):
            continue
        places = {call.get("id"): number for number, call in enumerate(calls)}
        end = place + 1
        while end < len(ordered) and isinstance(ordered[end], Mapping) and ordered[end].get("role") in _TOOL_ROLES:
            end += 1
        responses = ordered[place + 1 : end]
        complete = None not in places and len(responses) == len(places) == len(calls)
        if complete and {response.get("tool_call_id") for response in responses} == places.keys():
            ordered[place + 1 : end] = sorted(responses, key=lambda each: places[each["tool_call_id"]])
    return ordered
