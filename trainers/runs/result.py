"""What came of a run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..models.adapters import ComponentShare, trainable_by_component

if TYPE_CHECKING:
    from .config.sections import RunConfig
    from .loop.trainer import RunTrainer
    from .prepare import Prepared


@dataclass(frozen=True, slots=True, kw_only=True)
class RunResult:
    """What came of a run.

    Attributes:
        folder: Where it lies.
        export, model: What was trained on, and what was trained.
        steps, epochs: How far it came.
        rows, tokens: Rows and tokens that were read, in all epochs.
        padding: The share of padding in the batches.
        left_out: Rows that were not trained on, by reason.
        cut_seconds: Sound that was left out of longer clips, in the export.
        loss: That of the last line of metrics.
        scores: Those of the last evaluation, by name.
        best: The best score, if checkpoints are compared by one; `best_checkpoint` has it.
        components: What is trained of each part of the model.
    """

    folder: Path
    export: str
    model: str
    steps: int
    epochs: float
    rows: int
    tokens: int
    padding: float
    left_out: dict[str, int]
    cut_seconds: float
    loss: float | None
    scores: dict[str, float]
    best: float | None
    best_checkpoint: str | None
    last_checkpoint: str | None
    is_stopped_early: bool
    components: tuple[ComponentShare, ...]


def result_of(config: RunConfig, prepared: Prepared, trainer: RunTrainer) -> RunResult:
    """What came of a run that is over."""
    progress, checkpoints = trainer.progress, trainer.checkpoints
    last = checkpoints.latest
    best = None if progress.best_step is None else checkpoints.at(progress.best_step).name
    reasons = dict(progress.reasons)
    for row in prepared.data.lengths.left_out:
        reasons[row.reason] = reasons.get(row.reason, 0) + 1
    return RunResult(
        folder=config.folder, export=prepared.data.rows.where, model=config.model.base_model,
        steps=0 if last is None else last.step, epochs=progress.epoch, rows=progress.rows, tokens=progress.tokens,
        padding=1 - progress.tokens / progress.positions if progress.positions else 0.0, left_out=reasons,
        cut_seconds=round(float(prepared.data.lengths.cut_seconds.sum()), 3), loss=progress.loss,
        scores=dict(progress.scores), best=progress.best, best_checkpoint=best,
        last_checkpoint=None if last is None else last.name, is_stopped_early=progress.is_stopped_early,
        components=trainable_by_component(prepared.model, prepared.family),
    )  # fmt: skip
