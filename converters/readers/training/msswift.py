"""`msswift`: `messages` with `images`, `videos`, `audios`; rows of SFT, GRPO (`solution`) and preference pairs.

The conversation is kept as it is in `messages`, the solution of a GRPO row as the last answer; a single exchange also
gives `question`, `choices`, `reasoning` and `answer`. `rejected_response` and `rejected_messages` give `chosen` and
`rejected`. Rows of query and response and of Alpaca, which MS-SWIFT takes too, are read as `alpaca` reads them.
"""

from __future__ import annotations

from typing import Any

from ....shards.sample import MEDIA_KINDS
from ...candidate import CandidateStream, RawStream, ReadContext, bad_cell
from ..tables.cells import as_text
from . import alpaca
from .preference import answer_text, pair_fields, rejected_of
from .records import MEDIA_NAMES, Columns, Shape, read_records
from .turns import Dialogue, exchange_fields, fit_tags, read_dialogue

CONVERSATIONS = ("messages", "conversations", "conversation")


def read(files: RawStream, context: ReadContext) -> CandidateStream:
    """One row, one sample."""
    return read_records(files, context, reshape)


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


def conversation_shape(columns: Columns, dialogue: Dialogue, fields: dict[str, Any]) -> Shape:
    """The shape of a row that is a conversation, once its tags fit its media."""
    held = {kind: counted(columns, kind) for kind in MEDIA_KINDS}
    own = {kind: sum(found == kind for found, _ in dialogue.media) for kind in MEDIA_KINDS}
    both = [kind for kind in MEDIA_KINDS if held[kind] and own[kind]]
    if both:
        raise bad_cell("messages", both[0], "media in the contents or in a column, not in both", reason="media_twice")
    fit_tags("messages", dialogue, {kind: held[kind] + own[kind] for kind in MEDIA_KINDS})
    fields = {"messages": dialogue.messages, **exchange_fields(dialogue.messages), **fields}
    return Shape(fields, dialogue.media, dialogue.extra())


def counted(columns: Columns, kind: str) -> int:
    """How many media of a kind the columns of a row hold; nulls among them count for nothing."""
    value = columns.media(kind)
    items = [item for item in value if item is not None] if isinstance(value, list) else [value] if value else []
    columns.left[MEDIA_NAMES[kind][0]] = items or None
    return len(items)


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
