"""Texts that the tokenizer takes apart: characters into bytes, marks of an inventory into letters."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from ...data.training_row import TrainingRow
from ...data.turns import ASSISTANT
from .findings import WARNING, Finding

BYTES_SHARE = 0.1
"""The share of the tokens of answers that are parts of characters, from which it is told."""

INVENTORY = 10
"""Different marks from which they are taken for an inventory of tokens, such as phonemes."""

_MARK = re.compile(r"<\|?([^\s<>|/]{1,24})\|?>|\[([A-Za-z][A-Za-z0-9_:+-]{0,23})\]")
_REPLACEMENT = "\ufffd"


def answers_of(rows: Sequence[TrainingRow]) -> list[str]:
    """What models learn to say in rows."""
    return [turn.text for row in rows for turn in row.turns if turn.role == ASSISTANT and turn.is_learned]


def split_texts(answers: Sequence[str], tokenizer: Any) -> Iterator[Finding]:
    """Yield what the tokenizer has no tokens for."""
    yield from _split_marks(answers, tokenizer)
    yield from _split_characters(answers, tokenizer)


def _split_marks(answers: Sequence[str], tokenizer: Any) -> Iterator[Finding]:
    """`<AA0>`, `[SIL]`: where there are many, each is meant as one token. Tags that are closed again are text."""
    found: Counter[str] = Counter()
    for text in answers:
        found.update(match[0] for match in _MARK.finditer(text) if f"</{match[1] or match[2]}>" not in text)
    if len(found) < INVENTORY:
        return
    split = {mark: pieces for mark in found if len(pieces := _ids(tokenizer, mark)) > 1}
    if len(split) < INVENTORY:
        return
    first = max(split, key=lambda mark: found[mark])
    yield Finding(
        WARNING, "split_tokens",
        f"{len(split):,} marks such as {first} are no tokens of this model: that one becomes {len(split[first])}.",
        "extend the tokenizer and the model by them, save both together, and name that folder as model.base_model",
    )  # fmt: skip


def _split_characters(answers: Sequence[str], tokenizer: Any) -> Iterator[Finding]:
    """Characters that the vocabulary lacks (of phonetic alphabets, say) become two tokens or more, which are bytes."""
    tokens = parts = 0
    examples: Counter[str] = Counter()
    known: dict[str, int] = {}
    for text in answers:
        ids = _ids(tokenizer, text)
        tokens += len(ids)
        if text.isascii():
            continue
        parts += sum(_REPLACEMENT in tokenizer.decode([each]) for each in ids)
        for character in set(text):
            if not character.isascii():
                if character not in known:
                    known[character] = len(_ids(tokenizer, character))
                examples[character] += known[character] > 1
    if not tokens or parts / tokens < BYTES_SHARE:
        return
    named = " ".join(character for character, count in examples.most_common(5) if count)
    yield Finding(
        WARNING, "split_characters",
        f"{parts / tokens:.0%} of the tokens of answers are parts of characters: this tokenizer spells "
        f"{named or 'them'} in bytes.",
        "longer rows, and bytes that make no character can be said: use a notation that it has tokens for, or extend "
        "the tokenizer and the model together",
    )  # fmt: skip


def _ids(tokenizer: Any, text: str) -> list[int]:
    found: list[int] = tokenizer(text, add_special_tokens=False)["input_ids"]
    return found
