"""What a preflight tells."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ....errors import UsageError

if TYPE_CHECKING:
    from ..result import RunPlan
    from .audio_gap import AudioGap
    from .memory import Memory
    from .rows import ShownBatch
    from .step_time import StepTime

ERROR, WARNING = "error", "warning"


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong with a run, or unusual.

    Attributes:
        level: `error`: the run must not begin like this; or `warning`.
        name: For programs: `learning_rate`, `overlap` ...
        text: What was found, with its numbers.
        advice: What to do.
    """

    level: str
    name: str
    text: str
    advice: str


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


def refuse(findings: Iterable[Finding]) -> None:
    """Refuse a run for its first error.

    Raises:
        UsageError: There is one.
    """
    for each in findings:
        if each.level == ERROR:
            raise UsageError(each.text, hint=each.advice)


def ordered(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """Errors first, otherwise as they were found."""
    return tuple(sorted(findings, key=lambda each: each.level != ERROR))
