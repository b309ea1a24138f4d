"""`msswift`: `messages` with `images`, `videos`, `audios`; rows of SFT, GRPO (`solution`) and preference pairs.

The conversation is kept as it is in `messages`, the solution of a GRPO row as the last answer; a single exchange also
gives `question`, `choices`, `reasoning` and `answer`. `rejected_response` and `rejected_messages` give `chosen` and
`rejected`. Rows of query and response and of Alpaca, which MS-SWIFT takes too, are read as `alpaca` reads them.
"""

from __future__ import annotations

from typing import Any

from ....shards.sample import MEDIA_KINDS
from ...candidate import bad_cell
from ..tables.cells import as_text
from . import alpaca
from .preference import answer_text, pair_fields, rejected_of
from .records import Columns, RecordsReader, Shape, conversation_shape
from .turns import Dialogue, read_dialogue

CONVERSATIONS = ("messages", "conversations", "conversation")


def reshape(columns: Columns) -> Shape:
    """A row as MS-SWIFT reads it, but with nothing dropped or replaced on the way."""
    value = columns.take("messages", *CONVERSATIONS)
    if value is None:
        return alpaca.reshape(columns)
    dialogue = read_dialogue("messages", value)
    dialogue.open_with(columns.take("system", "system", "system_prompt"))
    fields = _solution_fields(columns, dialogue)
    rejected = _rejected(columns, dialogue)
    return conversation_shape(columns, dialogue, fields | pair_fields(dialogue, rejected))


class MsSwiftReader(RecordsReader):
    """One row, one sample."""

    reshape = staticmethod(reshape)


def _solution_fields(columns: Columns, dialogue: Dialogue) -> dict[str, Any]:
    """The solution of a GRPO row as the answer, and as the last turn of a conversation that only asks."""
    solution = as_text(columns.take("answer", "solution"))
    if solution is None:
        return {}
    if dialogue.roles[-1:] != ["assistant"]:
        dialogue.say("assistant", solution)
        return {}
    return {"answer": solution}


def _rejected(columns: Columns, dialogue: Dialogue) -> str | None:
    response = answer_text("rejected_response", columns.take("rejected", "rejected_response"))
    whole = columns.take("rejected_messages", "rejected_messages")
    for kind in MEDIA_KINDS:
        other = columns.take(f"rejected_{kind}s", f"rejected_{kind}s")
        if other and other != columns.left.get(f"{kind}s"):
            raise bad_cell(f"rejected_{kind}s", other, "the same media on both sides", reason="other_media")
    if response is not None or whole is None:
        return response
    return rejected_of(dialogue, read_dialogue("rejected_messages", whole), "rejected_messages")
