"""`alpaca`: `instruction`, `input`, `output`, with optional `system`, `history` and media.

Instruction and input are one turn, joined by a newline as trainers do. Rows with query and response are read the same
way, and so are `chosen` and `rejected` in place of the output.
"""

from __future__ import annotations

from typing import Any

from ...candidate import bad_cell
from ..tables.cells import as_text
from .preference import pair_fields
from .records import Columns, RecordsReader, Shape, conversation_shape, open_with_system
from .turns import Dialogue

_QUERIES = ("query", "prompt", "question", "problem")
_RESPONSES = ("output", "response", "completion", "answer", "target", "solution")


def reshape(columns: Columns) -> Shape:
    """Reshape a row; raises RowError if it has no prompt (`no_prompt`)."""
    dialogue = Dialogue()
    open_with_system(columns, dialogue)
    for question, answer in _history(columns.take("history", "history")):
        dialogue.say("user", question)
        dialogue.say("assistant", answer)
    prompts = [text for name in ("instruction", "input") if (text := as_text(columns.take(name, name)))]
    query = "\n".join(prompts) or as_text(columns.take("question", *_QUERIES))
    if query is None:
        raise bad_cell("instruction", query, "an instruction, an input or a query", reason="no_prompt")
    dialogue.say("user", query)
    response = _response(columns)
    if response is not None:
        dialogue.say("assistant", response)
    rejected = as_text(columns.take("rejected", "rejected", "rejected_response"))
    return conversation_shape(columns, dialogue, pair_fields(dialogue, rejected))


class AlpacaReader(RecordsReader):
    """One sample per row."""

    reshape = staticmethod(reshape)


def _response(columns: Columns) -> str | None:
    """The answer, or the first of several; all of them are kept in `extra`."""
    value = columns.take("answer", "chosen", *_RESPONSES)
    if isinstance(value, list):
        columns.left["answers"] = value
        value = value[0] if value else None
    return as_text(value)


def _history(value: Any) -> list[tuple[str, str]]:
    """Earlier exchanges: pairs of question and answer."""
    if not value:
        return []
    if not isinstance(value, list) or not all(isinstance(pair, list) and len(pair) == 2 for pair in value):
        raise bad_cell("history", value, "a list of pairs of question and answer")
    return [(as_text(question) or "", as_text(answer) or "") for question, answer in value]
