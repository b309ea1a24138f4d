"""What a card promises: the fields that every sample of a split has.

    promises: [text, speaker]                               # in every split
    promises: {train: [text, speaker], test: [question]}    # by split; a split that is not named has no promise

A pull checks it (`catalog/pull/promises.py`). Promise what the corpus has for every sample, from every source of the
card. That each sample is of one split of the card needs no promise: it is checked for every card.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator

from .source import Name

PromisedField = Literal[
    "text", "translation", "language", "target_language", "speaker", "labels", "captions", "question", "choices",
    "answer", "reasoning", "messages", "chosen", "rejected", "words", "phones", "start_s", "end_s",
]  # fmt: skip


def _once(fields: list[PromisedField]) -> list[PromisedField]:
    if len(set(fields)) < len(fields):
        raise ValueError("a field is listed twice")
    return fields


Fields = Annotated[list[PromisedField], AfterValidator(_once)]
Promises = Fields | dict[Name, Fields]
