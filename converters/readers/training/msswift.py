"""`msswift`: `messages` with `images`, `videos`, `audios`; SFT, GRPO (`solution`) and preference rows.

The conversation is kept unchanged in `messages`, the solution of a GRPO row as the last answer; a single exchange also
sets `question`, `choices`, `reasoning` and `answer`. `rejected_response` and `rejected_messages` set `chosen` and
`rejected`. Query/response and Alpaca rows, which MS-SWIFT also accepts, are read like `alpaca`.
"""

from __future__ import annotations

from typing import Any

from ....shards.sample import MEDIA_KINDS
from ...candidate import bad_cell
from ..tables.cells import as_text
from . import alpaca
from .preference import pair_fields, read_answer, rejected_of
from .records import Columns, RecordsReader, Shape, conversation_shape, open_with_system
from .turns import Dialogue, read_dialogue

CONVERSATIONS = ("messages", "conversations", "conversation")


def reshape(columns: Columns) -> Shape:
    """Reshape a row as MS-SWIFT reads it, but without dropping or replacing anything."""
    value = columns.take("messages", *CONVERSATIONS)
    if value is None:
        return alpaca.reshape(columns)
    dialogue = read_dialogue("messages", value)
    open_with_system(columns, dialogue)
    fields = _solution_fields(columns, dialogue)
    rejected = _rejected(columns, dialogue)
    return conversation_shape(columns, dialogue, fields | pair_fields(dialogue, rejected))


class MsSwiftReader(RecordsReader):
    """One sample per row."""

    reshape = staticmethod(reshape)


def _solution_fields(columns: Columns, dialogue: Dialogue) -> dict[str, Any]:
    """The solution of a GRPO row as the answer, or as the last turn of a conversation that has no answer."""
    solution = as_text(columns.take("answer", "solution"))
    if solution is None:
        return {}
    if dialogue.roles[-1:] != ["assistant"]:
        dialogue.say("assistant", solution)
        return {}
    return {"answer": solution}


def _rejected(columns: Columns, dialogue: Dialogue) -> str | None:
    response, keys = read_answer("rejected_response", columns.take("rejected", "rejected_response"))
    columns.left["rejected_message_keys"] = [keys] if keys else None
    whole = columns.take("rejected_messages", "rejected_messages")
    for kind in MEDIA_KINDS:
        other = columns.take(f"rejected_{kind}s", f"rejected_{kind}s")
        if other and other != columns.left.get(f"{kind}s"):
            raise bad_cell(f"rejected_{kind}s", other, "the same media on both sides", reason="other_media")
    if response is not None or whole is None:
        columns.left["rejected_messages"] = whole
        return response
    other = read_dialogue("rejected_messages", whole)
    if any(other.further):
        columns.left["rejected_message_keys"] = other.further
    return rejected_of(dialogue, other, "rejected_messages")
