"""What a preflight tells."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .findings import ERROR, WARNING, Finding

if TYPE_CHECKING:
    from ..result import RunPlan
    from .audio_gap import AudioGap
    from .memory import Memory
    from .rows import ShownBatch
    from .step_time import StepTime


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """A score of the base model.

    Attributes:
        low, high: Its interval of 95 %; None: not known.
        rows: Rows that were asked.
    """

    name: str
    value: float
    low: float | None
    high: float | None
    rows: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Preflight:
    """What a run would be, found out by loading all of it.

    Attributes:
        plan: Rows, batches and steps, and what is trained of each part of the model.
        device, dtype: Where it was loaded, and what it computes in.
        epochs: Of the run, with their fraction.
        batch: The first batch: one of the costliest of the run.
        memory: What a step takes; `step_time` how long one is. None: the first step could not be computed.
        audio_gap: Whether sound reaches the loss. None: no rows have sound that can be exchanged.
        scores: Of the base model on the export of `evaluation`.
        findings: Errors first.
    """

    plan: RunPlan
    device: str
    dtype: str
    epochs: float
    batch: ShownBatch | None
    memory: Memory | None
    step_time: StepTime | None
    audio_gap: AudioGap | None
    scores: tuple[Score, ...] = ()
    findings: tuple[Finding, ...] = field(default=())

    @property
    def errors(self) -> tuple[Finding, ...]:
        return tuple(each for each in self.findings if each.level == ERROR)

    @property
    def warnings(self) -> tuple[Finding, ...]:
        return tuple(each for each in self.findings if each.level == WARNING)
