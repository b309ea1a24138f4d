"""What came of a contrastive run."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..models.adapters import ComponentShare
from ..runs.preflight.findings import ERROR, Finding
from .term_rows import TRAIN

if TYPE_CHECKING:
    from ..runs.preflight.memory import Memory
    from ..runs.preflight.step_time import StepTime
    from .prepare import Prepared
    from .scores.metrics import RetrievalScores

NAME = "contrastive"


@dataclass(frozen=True, slots=True, kw_only=True)
class ContrastivePreflight:
    """What a run would be, beside its rows.

    Attributes:
        device, dtype: Where it would compute, and in what.
        components: What would be trained of each part of the model.
        frozen: Weights of encoders that are not trained.
        encoding_seconds: Of all clips and texts, once, before the first step.
        memory: What a step takes; `step_time` how long one is, its tokens being clips.
        findings: Errors first.
    """

    device: str
    dtype: str
    components: tuple[ComponentShare, ...]
    frozen: int
    encoding_seconds: float
    memory: Memory
    step_time: StepTime
    findings: tuple[Finding, ...]

    @property
    def errors(self) -> tuple[Finding, ...]:
        return tuple(each for each in self.findings if each.level == ERROR)


@dataclass(frozen=True, slots=True, kw_only=True)
class ContrastiveResult:
    """What came of a run, or of a dry run what it would train on.

    Attributes:
        clips, clips_without_term: Clips that are trained on, and those of them that name no term.
        measured: Clips of validation and of test splits.
        glossary, unseen: Terms that can be found, and those that tests name and training does not.
        left_out: Clips that were not heard, by reason.
        best_checkpoint: The best by validation clips; None: there are none, and the last one is handed on.
        scores: By role; the retriever's, after the last step.
        control: The same by random weights in the speech encoder; None: not asked for.
        retriever: The folder that `triptych retrieve` takes; None: a dry run.
        preflight: What a dry run has found out; None: a run.
    """

    folder: Path | None
    export: str
    clips: int
    clips_without_term: int
    measured: dict[str, int]
    glossary: int
    unseen: int
    left_out: dict[str, int]
    steps: int
    best_checkpoint: str | None = None
    scores: dict[str, RetrievalScores] | None = None
    control: dict[str, RetrievalScores] | None = None
    retriever: Path | None = None
    preflight: ContrastivePreflight | None = None


def result_of(prepared: Prepared, folder: Path | None, **more: Any) -> ContrastiveResult:
    """What a run is made of, and what came of it."""
    clips = prepared.steps.clips.rows
    named = {term for row in prepared.vectors.rows if row.role != TRAIN for term in row.terms}
    return ContrastiveResult(
        folder=folder, export=prepared.rows.reader.version.reference, clips=len(clips),
        clips_without_term=sum(not row.terms for row in clips),
        measured={measure.role: len(measure.named) for measure in prepared.measures},
        glossary=len(prepared.rows.glossary), unseen=len(named - prepared.seen),
        left_out=dict(Counter(each.reason for each in prepared.vectors.left_out)), steps=len(prepared.steps), **more,
    )  # fmt: skip
