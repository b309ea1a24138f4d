"""Rows with two answers to the inputs of a batch: first all chosen sides, then all rejected ones, in the same order.

Both sides of a row have the same prompt, media included, which are decoded once; only the last answer is trained. A
batch names its rows and their dimensions, since the reference of a pair is found by its id.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from ..data.bad_rows import BadRow
from ..data.encoder import RowLength
from ..data.training_row import TrainingRow

if TYPE_CHECKING:
    from ..sft.conversation_encoder import ConversationEncoder, Encoded

IDS, DIMENSIONS = "ids", "dimensions"
"""In a batch, beside the inputs of the model: tuples with a text for each pair."""

NO_DIMENSION = "none"


@dataclass(frozen=True, slots=True, eq=False)
class EncodedPair:
    """The inputs of both sides of a row.

    Attributes:
        dimension: What it prefers by; `none` where the row does not say.
    """

    chosen: Encoded
    rejected: Encoded
    dimension: str

    def __len__(self) -> int:
        return 2 * max(len(self.chosen), len(self.rejected))


@dataclass(frozen=True, slots=True)
class PairEncoder:
    """Makes the inputs of pairs.

    Attributes:
        answers: The encoder of one side.
    """

    answers: ConversationEncoder

    @property
    def signature(self) -> str:
        return f"pairs, {self.answers.signature}"

    @property
    def budget_model(self) -> None:
        """None: exports count one side."""
        return None

    @property
    def max_tokens(self) -> int:
        return self.answers.max_tokens

    @property
    def max_audio_seconds(self) -> float | None:
        return self.answers.max_audio_seconds

    def length(self, row: TrainingRow) -> RowLength:
        """What both sides take: each is padded to the longer one at least.

        Raises:
            BadRow: It cannot be trained on, or is no pair.
        """
        other = rejected_side(row)
        chosen, rejected = self.answers.length(replace(row, rejected=None)), self.answers.length(other)
        return replace(chosen, tokens=2 * max(chosen.tokens, rejected.tokens))

    def encode(self, row: TrainingRow) -> EncodedPair:
        """Decode the media of a row once and make the inputs of both sides.

        Raises:
            BadRow: It cannot be trained on, or is no pair.
        """
        rejected_side(row)
        chosen, rejected = self.answers.encode_pair(row)
        return EncodedPair(chosen, rejected, row.dimension or NO_DIMENSION)

    def join(self, encoded: Sequence[EncodedPair]) -> dict[str, Any]:
        """The inputs of several pairs: chosen sides first."""
        sides = [pair.chosen for pair in encoded] + [pair.rejected for pair in encoded]
        return {
            **self.answers.join(sides),
            IDS: tuple(pair.chosen.id for pair in encoded),
            DIMENSIONS: tuple(pair.dimension for pair in encoded),
        }


def rejected_side(row: TrainingRow) -> TrainingRow:
    """A row with the rejected answer in place of the chosen one.

    Raises:
        BadRow: The row is no pair.
    """
    if row.rejected is None:
        raise BadRow("no_pair", "the row has no rejected answer; rows of pairs: triptych export preference")
    return replace(row, turns=(*row.turns[:-1], row.rejected), rejected=None)
