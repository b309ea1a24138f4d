"""`conversation`: ShareGPT-like rows, `conversations` of `from` and `value`, with media in other columns.

Also read: the inline form of the phoneme scripts, `<audio>/abs/path.wav</audio>text`; LLaMA-Factory's `chosen` and
`rejected` messages; TRL's `prompt` with `completion`, or with `chosen` and `rejected`, or `chosen` and `rejected` only.
"""

from __future__ import annotations

from typing import Any

from ...candidate import bad_cell
from .msswift import CONVERSATIONS
from .preference import last_answer, pair_fields, read_answer, rejected_of
from .records import Columns, RecordsReader, Shape, conversation_shape, open_with_system
from .turns import Dialogue, read_dialogue

_PROMPTS = ("conversations", "conversation", "messages", "dialogue", "dialog", "prompt")


def reshape(columns: Columns) -> Shape:
    """Reshape a row; raises RowError if it is not a conversation, or a pair whose sides do not match."""
    value = columns.take("messages", *_PROMPTS)
    chosen, rejected = columns.take("chosen", "chosen"), columns.take("rejected", "rejected", "rejected_response")
    if value is None and not _is_whole(chosen):
        raise bad_cell("conversations", value, f"a conversation in {', '.join(CONVERSATIONS)}", reason="no_messages")
    dialogue = _dialogue("chosen" if value is None else "conversations", chosen if value is None else value)
    open_with_system(columns, dialogue)
    completion = chosen if value is not None and chosen is not None else columns.take("completion", "completion")
    if completion is not None:
        _answer(dialogue, completion)
    answer: str | None
    if _is_whole(rejected):
        other = _dialogue("rejected", rejected)
        keys, answer = other.further, rejected_of(dialogue, other, "rejected")
    else:
        answer, own = read_answer("rejected", rejected)
        keys = [own]
    columns.left["rejected_message_keys"] = keys if any(keys) else None
    return conversation_shape(columns, dialogue, pair_fields(dialogue, answer))


class ConversationReader(RecordsReader):
    """One sample per row."""

    reshape = staticmethod(reshape)


def _dialogue(column: str, value: Any) -> Dialogue:
    """The conversation in a cell; a prompt that is plain text is its first turn."""
    if isinstance(value, str) and not value.lstrip().startswith(("[", "{")):
        value = [{"role": "user", "content": value}]
    return read_dialogue(column, value, inline=True)


def _is_whole(side: Any) -> bool:
    """Whether one side of a pair is a whole conversation, including the prompt."""
    return isinstance(side, list) and len(side) > 1


def _answer(dialogue: Dialogue, side: Any) -> None:
    """Use the chosen side as the last answer of the conversation."""
    if _is_whole(side):
        whole = _dialogue("chosen", side)
        text, keys = last_answer("chosen", whole), whole.further[-1]
    else:
        found, keys = read_answer("chosen", side)
        text = found or ""
    if dialogue.roles[-1:] != ["assistant"]:
        dialogue.say("assistant", text)
        dialogue.further[-1] = keys
    elif dialogue.messages[-1]["content"] != text:
        raise bad_cell("chosen", text, "the last answer of the conversation", reason="two_answers")
