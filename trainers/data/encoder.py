"""What a trainer makes of rows: the inputs of one row, and of several as one batch.

An encoder travels to worker processes: it can be pickled, and opens what it needs where it is used.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from .bad_rows import BadRow as BadRow
from .training_row import TrainingRow


@dataclass(frozen=True, slots=True)
class RowLength:
    """What a row takes in a batch, known before anything is decoded.

    Attributes:
        tokens: Positions of the sequence, media included.
        seconds: Of sound.
        modalities: `audio`, `image`, `video`, in this order; none for text alone.
        cut_seconds: Of sound that is left out, where clips that are too long are cut.
    """

    tokens: int
    seconds: float = 0.0
    modalities: tuple[str, ...] = ()
    cut_seconds: float = 0.0


class Encoder(Protocol):
    """Makes the inputs of a model."""

    @property
    def signature(self) -> str:
        """What lengths depend on: the family, its files, the settings. Lengths that were measured are kept by it."""

    @property
    def budget_model(self) -> str | None:
        """The model of `shards.budgets` whose count of a row is its length to within 2 tokens; None: there is none."""

    @property
    def max_tokens(self) -> int:
        """The longest row that is taken."""

    @property
    def max_audio_seconds(self) -> float | None:
        """The longest clip that is taken whole; None: any."""

    def length(self, row: TrainingRow) -> RowLength:
        """What a row takes, from headers and closed formulas.

        Raises:
            BadRow: It cannot be trained on.
        """

    def encode(self, row: TrainingRow) -> Any:
        """Decode its media and make its inputs; their `len()` is the tokens they take.

        Raises:
            BadRow: It cannot be trained on.
        """

    def join(self, encoded: Sequence[Any]) -> dict[str, Any]:
        """The inputs of several rows as one batch of tensors, padded on the right."""
