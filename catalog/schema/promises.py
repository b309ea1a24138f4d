"""What a card promises: the fields that every sample of a split has.

    promises: [text, speaker]                               # in every split
    promises: {train: [text, speaker], test: [question]}    # by split; a split that is not named has no promise

A pull checks it (`catalog/pull/promises.py`). Promise what the corpus has for every sample, from every source of the
card. That each sample is of one split of the card needs no promise: it is checked for every card.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import PlainValidator

PROMISED = (
    "text", "translation", "language", "target_language", "speaker", "labels", "captions", "question", "choices",
    "answer", "reasoning", "messages", "chosen", "rejected", "words", "phones", "start_s", "end_s",
)  # fmt: skip
"""The fields that can be promised."""


def _check(value: Any) -> Any:
    """Return `value` unchanged if it has one of the forms above; raise ValueError if it has not."""
    if isinstance(value, dict):
        for split, fields in value.items():
            if not isinstance(split, str):
                raise ValueError(f"{split!r} is not the name of a split; put it in quotes")
            _check_fields(fields, f"{split}: ")
    else:
        _check_fields(value, "")
    return value


def _check_fields(fields: Any, where: str) -> None:
    if not isinstance(fields, list):
        raise ValueError(f"{where}expected a list of fields, got {fields!r}")
    unknown = [field for field in fields if field not in PROMISED]
    if unknown:
        raise ValueError(f"{where}{unknown[0]!r} cannot be promised; fields: {', '.join(PROMISED)}")
    if len(set(fields)) < len(fields):
        raise ValueError(f"{where}a field is listed twice")


Promises = Annotated[list[str] | dict[str, list[str]], PlainValidator(_check)]
