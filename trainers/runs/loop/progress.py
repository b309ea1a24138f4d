"""What a run has come to, beside its weights, and who is told of it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from ....errors import DamagedError
from .checkpoints import Checkpoint

STATE = "run_state.json"


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
        epoch: Epochs that are over, with their fraction.
        loss, measures, scores: Those of the last line of metrics, and of the last evaluation.
        base_scores: Those of the model before its first step.
        reasons: Rows that were left out while they were decoded, by reason.
    """

    best: float | None = None
    best_step: int | None = None
    without_gain: int = 0
    rows: int = 0
    tokens: int = 0
    positions: int = 0
    items: int = 0
    epoch: float = 0.0
    loss: float | None = None
    measures: dict[str, float] = field(default_factory=dict)
    scores: dict[str, float] = field(default_factory=dict)
    base_scores: dict[str, float] = field(default_factory=dict)
    reasons: dict[str, int] = field(default_factory=dict)
    is_stopped_early: bool = False

    def document(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__slots__}


def write_state(folder: Path, progress: Progress, identity: Mapping[str, Any]) -> None:
    """Write what a run has come to into the folder of a checkpoint."""
    state = {"progress": progress.document(), "identity": identity}
    (folder / STATE).write_text(json.dumps(state, indent=1), encoding="utf-8")


def read_state(checkpoint: Checkpoint) -> dict[str, Any]:
    """Return `progress` and `identity` of a checkpoint.

    Raises:
        DamagedError: They cannot be read.
    """
    path = checkpoint.path / STATE
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DamagedError(f"{path}: {error}.", hint="remove this checkpoint, and go on from the one before") from error
    return found
