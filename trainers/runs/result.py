"""What came of a run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..models.adapters import ComponentShare, trainable_by_component

if TYPE_CHECKING:
    from .config.sections import RunConfig
    from .loop.trainer import RunTrainer
    from .preflight.audio_gap import AudioGap
    from .prepare import Data, Prepared


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
        loss, measures: Those of the last line of metrics: of DPO its accuracy and margins, by dimension too.
        scores, base_scores: Those of the last evaluation by name, and of the model before its first step.
        best: The best score, if checkpoints are compared by one; `best_checkpoint` has it.
        audio_gap: Of the trained model, on rows of the run; None: no two rows have different sound.
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
    measures: dict[str, float]
    scores: dict[str, float]
    base_scores: dict[str, float]
    best: float | None
    best_checkpoint: str | None
    last_checkpoint: str | None
    is_stopped_early: bool
    audio_gap: AudioGap | None
    components: tuple[ComponentShare, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunPlan:
    """What a run would do.

    Attributes:
        export, model: What would be trained on, and what would be trained.
        rows: Rows of an epoch.
        batches, steps: Batches of an epoch, and steps of the run.
        tokens, seconds: Of an epoch, media included; and of sound.
        padding: The share of padding in its batches.
        left_out: Rows that would not be trained on, by reason.
        cut_seconds: Sound that would be left out of longer clips.
        components: What would be trained of each part of the model.
    """

    export: str
    model: str
    rows: int
    batches: int
    steps: int
    tokens: int
    seconds: float
    padding: float
    left_out: dict[str, int]
    cut_seconds: float
    components: tuple[ComponentShare, ...]


def plan_of(config: RunConfig, prepared: Prepared) -> RunPlan:
    """What a run that is prepared would do."""
    data = prepared.data
    return RunPlan(
        export=data.rows.where, model=config.model.base_model, rows=data.plan.rows, batches=data.plan.batches,
        steps=len(prepared.steps), tokens=int(data.lengths.tokens.sum()),
        seconds=round(float(data.lengths.seconds.sum()), 3), padding=data.plan.padding_share,
        left_out=_reasons(data, {}), cut_seconds=round(float(data.lengths.cut_seconds.sum()), 3),
        components=components_of(prepared),
    )  # fmt: skip


def _reasons(data: Data, found: Mapping[str, int]) -> dict[str, int]:
    """Rows that were left out, by reason: those that were bad before the run, and those found in it."""
    reasons = Counter(found)
    reasons.update(row.reason for row in data.lengths.left_out)
    return dict(reasons)


def components_of(prepared: Prepared) -> tuple[ComponentShare, ...]:
    """What any stage trains."""
    names = set(prepared.trained.names)
    before = [(parameter, parameter.requires_grad) for parameter in prepared.model.parameters()]
    for name, parameter in prepared.model.named_parameters():
        parameter.requires_grad_(name in names)
    found = trainable_by_component(prepared.model, prepared.family)
    for parameter, is_trained in before:  # a stage may train less
        parameter.requires_grad_(is_trained)
    return found


def result_of(config: RunConfig, prepared: Prepared, trainer: RunTrainer, audio_gap: AudioGap | None) -> RunResult:
    """What came of a run that is over."""
    progress, checkpoints = trainer.progress, trainer.checkpoints
    last = checkpoints.latest
    best = None if progress.best_step is None else checkpoints.at(progress.best_step).name
    data = prepared.data
    return RunResult(
        folder=config.folder, export=data.rows.where, model=config.model.base_model,
        steps=0 if last is None else last.step, epochs=progress.epoch, rows=progress.rows, tokens=progress.tokens,
        padding=1 - progress.tokens / progress.positions if progress.positions else 0.0,
        left_out=_reasons(data, progress.reasons), cut_seconds=round(float(data.lengths.cut_seconds.sum()), 3),
        loss=progress.loss, measures=dict(progress.measures),
        scores=dict(progress.scores), base_scores=dict(progress.base_scores), best=progress.best,
        best_checkpoint=best, last_checkpoint=None if last is None else last.name,
        is_stopped_early=progress.is_stopped_early, audio_gap=audio_gap, components=components_of(prepared),
    )  # fmt: skip
