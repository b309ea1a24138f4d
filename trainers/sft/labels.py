"""The tokens of a conversation, and which of them a model is trained to say.

Texts on both sides of a medium are tokenized apart: the tokens around a medium part a text before its pairs are merged,
so that the whole would give the same tokens.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..data.encoder import BadRow
from ..models.prompt_forms import takes_special_tokens
from .conversation_text import Piece

IGNORED = -100
"""The label of a token that is not trained."""


@dataclass(frozen=True, slots=True)
class Tokens:
    """The tokens of a row.

    Attributes:
        ids: Of the whole conversation; a medium's own token as often as it has features.
        labels: The token where it is trained, else -100; the model compares it with what it says one place before.
    """

    ids: list[int]
    labels: list[int]


def tokens_of(pieces: Sequence[Piece], tokenizer: Any, media: Mapping[int, Sequence[int]]) -> Tokens:
    """The tokens of pieces.

    Args:
        media: By the place of a piece the tokens of its medium.
    """
    ids: list[int] = []
    labels: list[int] = []
    for place, piece in enumerate(pieces):
        if piece.medium is not None:
            found = list(media[place])
        else:
            own = place == 0 and takes_special_tokens(tokenizer, piece.text)
            found = tokenizer(piece.text, add_special_tokens=own)["input_ids"]
        ids += found
        labels += found if piece.is_trained else [IGNORED] * len(found)
    if all(label == IGNORED for label in labels):
        raise BadRow("no_answer", "no token of the row is trained")
    return Tokens(ids, labels)
