"""What a run has come to, beside its weights, and who is told of it."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from ....errors import DamagedError
from ....shards.exports.versions import sums
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
        awaits_scores: The evaluation of this step is not over.
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
    awaits_scores: bool = False

    def compare(self, score: float, *, more_is_better: bool, step: int, patience: int | None) -> bool:
        """Hold a score of a step against the best one; returns whether its checkpoint is wanted."""
        sign = 1 if more_is_better else -1
        if self.best is None or sign * score > sign * self.best:
            self.best, self.best_step, self.without_gain = score, step, 0
            return True
        self.without_gain += 1
        self.is_stopped_early = patience is not None and self.without_gain >= patience
        return self.is_stopped_early

    def document(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__slots__}


def write_state(folder: Path, progress: Progress, identity: Mapping[str, Any], *, step: int) -> None:
    """Write what a run has come to into the folder of a checkpoint, as the last of its files.

    It names all others with their sizes and hashes: transformers begins anew where a file is missing, and says nothing.
    """
    files = {str(path.relative_to(folder)): path for path in sorted(folder.rglob("*")) if path.is_file()}
    for path in files.values():
        with path.open("rb") as file:
            os.fsync(file.fileno())
    state = {
        "step": step, "progress": progress.document(), "identity": identity,
        "files": {name: sums(path) for name, path in files.items()},
    }  # fmt: skip
    _write(folder / STATE, state)


def update_progress(checkpoint: Checkpoint, progress: Progress) -> bool:
    """Write what the evaluation of a step has found into its checkpoint; returns whether that is new."""
    state = read_state(checkpoint)
    if state["progress"] == progress:
        return False
    beside = checkpoint.path / f".{STATE}"
    _write(beside, {**state, "progress": progress.document()})
    beside.replace(checkpoint.path / STATE)
    return True


def _write(path: Path, state: Mapping[str, Any]) -> None:
    with path.open("w", encoding="utf-8") as out:
        json.dump(state, out, indent=1)
        out.flush()
        os.fsync(out.fileno())


def read_state(checkpoint: Checkpoint) -> dict[str, Any]:
    """Return `step`, `progress`, `identity` and `files` of a checkpoint.

    Raises:
        DamagedError: They cannot be read, or are of another step than its name says.
    """
    path = checkpoint.path / STATE
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        found["progress"] = Progress(**found["progress"])
        step, _, _ = found["step"], dict(found["identity"]), dict(found["files"])
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise DamagedError(f"{path}: {_said(error)}.", hint=_HINT) from error
    if step != checkpoint.step:
        raise DamagedError(f"{path}: it is of step {step:,}.", hint="give the folder its name back")
    return found


def check_files(checkpoint: Checkpoint, files: Mapping[str, Mapping[str, Any]]) -> None:
    """Hold files of a checkpoint against what was written.

    Args:
        files: As `read_state` returns them; all, or those that are needed.

    Raises:
        DamagedError: One is missing or has changed.
    """
    for name, expected in files.items():
        path = checkpoint.path / name
        if not path.is_file():
            raise DamagedError(f"{path}: missing.", hint=_HINT)
        if path.stat().st_size != expected["bytes"] or sums(path) != expected:
            raise DamagedError(f"{path}: changed since it was written.", hint=_HINT)


_HINT = "remove this checkpoint, and go on from the one before"


def _said(error: Exception) -> str:
    return f"{error} is missing" if isinstance(error, KeyError) else str(error)
