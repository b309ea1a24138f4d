"""The rejected side of a preference pair, in the spellings of MS-SWIFT, TRL and LLaMA-Factory."""

from __future__ import annotations

from typing import Any

from ...candidate import bad_cell
from .turns import Dialogue, read_dialogue


def read_answer(column: str, value: Any) -> tuple[str | None, dict[str, Any]]:
    """One side of a pair as text, with the further keys of its message.

    It is plain text, one assistant message, or a list of exactly one.

    Raises:
        RowError: It has more than one message (`many_answers`), or its message is not an answer.
    """
    if value is None or isinstance(value, str):
        return value or None, {}
    dialogue = read_dialogue(column, value if isinstance(value, list) else [value])
    if dialogue.roles != ["assistant"]:
        raise bad_cell(column, value, "one answer: a sample has one text per side", reason="many_answers")
    return dialogue.messages[0]["content"], dialogue.further[0]


def last_answer(column: str, dialogue: Dialogue) -> str:
    """The answer at the end of a conversation."""
    if dialogue.roles[-1:] != ["assistant"]:
        raise bad_cell(column, " ".join(dialogue.roles), "a conversation that ends with an answer", reason="no_answer")
    return dialogue.messages[-1]["content"]


def pair_fields(dialogue: Dialogue, rejected: str | None) -> dict[str, Any]:
    """`chosen` and `rejected`, if there is a rejected side.

    Raises:
        RowError: Both are the same except for whitespace (`rejected_equals_answer`).
    """
    if rejected is None:
        return {}
    chosen = last_answer("messages", dialogue)
    if chosen.split() == rejected.split():
        raise bad_cell("rejected", rejected, "an answer other than the chosen one", reason="rejected_equals_answer")
    return {"chosen": chosen, "rejected": rejected}


def rejected_of(dialogue: Dialogue, whole: Dialogue, column: str) -> str:
    """The rejected answer of a second complete conversation, which must have the same prompt.

    Raises:
        RowError: Its prompt differs (`other_prompt`).
    """
    answer = last_answer(column, whole)
    if [m for m in whole.messages[:-1] if m["role"] != "system"] != [
        m for m in dialogue.messages[:-1] if m["role"] != "system"
    ]:
        raise bad_cell(column, whole.messages[0]["content"], "the same prompt on both sides", reason="other_prompt")
    return answer
