"""What a run has come to, beside its weights, and who is told of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from .checkpoints import Checkpoint


class Observer(Protocol):
    """What is told of a run, on the first rank."""

    def stepped(self, step: int, of: int) -> None:
        """A step is over."""

    def logged(self, line: dict[str, Any]) -> None:
        """A line of metrics: what was seen since the last one, or scores."""

    def saved(self, checkpoint: Checkpoint, progress: Progress) -> None:
        """A checkpoint stands."""

    def left_out(self, rows: Sequence[tuple[int, Any]]) -> None:
        """Rows that could not be trained on, each with its step."""


@dataclass(slots=True, kw_only=True)
class Progress:
    """What a run has come to, beside its weights; part of each checkpoint.

    Attributes:
        best, best_step: The best score of its evaluations, and the step that it was seen at.
        without_gain: Evaluations since then.
        rows, tokens, positions: Rows and tokens read, and positions of their batches, padding included.
        items: Items that the loss was taken over.
        ranks: Processes; a run goes on with as many.
    """

    best: float | None = None
    best_step: int | None = None
    without_gain: int = 0
    rows: int = 0
    tokens: int = 0
    positions: int = 0
    items: int = 0
    left_out: int = 0
    ranks: int = 1
    is_stopped_early: bool = False

    def document(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__slots__}
