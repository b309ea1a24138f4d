"""Scores of projections on held-out clips while they are trained, and the report of them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...runs.scores.evaluations import Measurement
from ..model.model_inputs import AUDIO, TEXT, projected
from .metrics import TOP, RetrievalScores, score

if TYPE_CHECKING:
    from ..model.model_inputs import Given

SCORES = "scores.json"
CONTROL = "random_control"
"""What the control is called there, and its folder in that of its run."""


@dataclass(frozen=True, slots=True, eq=False)
class RetrievalMeasure:
    """Measures projections on clips of one role.

    Attributes:
        role: `validation` or `test`.
        named: The terms that each clip names.
        audio: What the model takes of each clip.
        terms: The glossary that is searched, and what the model takes of it: `given`.
        seen: Terms that training clips name.
        selects: Whether the best checkpoint is chosen by it.
    """

    role: str
    named: Sequence[Sequence[str]]
    audio: Given
    terms: Sequence[str]
    given: Given
    seen: frozenset[str]
    threshold: float
    seed: int
    selects: bool

    def scores(self, model: Any) -> RetrievalScores:
        return score(
            projected(model, self.audio, AUDIO), self.named, self.terms,
            projected(model, self.given, TEXT), seen=self.seen, threshold=self.threshold, seed=self.seed,
        )  # fmt: skip

    def __call__(self, model: Any) -> list[Measurement]:
        found = self.scores(model)
        values = {f"recall@{top}": found.all.by_clip[top] for top in TOP if found.all.terms}
        values |= {f"seen_recall@{top}": found.seen.by_term[top] for top in TOP if found.seen.terms}
        values |= {f"unseen_recall@{top}": found.unseen.by_term[top] for top in TOP if found.unseen.terms}
        if found.chance.terms:
            values["chance_recall@1"] = found.chance.by_clip[1]
        if found.at.rejected is not None:
            values["rejected"] = found.at.rejected
        if found.all.terms:
            values["right_above_threshold"] = found.at.right
        # Among as many nearest terms as there are, every term is found by any model.
        telling = max((top for top in TOP if top < found.glossary), default=TOP[0])
        return [
            Measurement(
                f"{self.role}_{name}", value, more_is_better=True, selects=self.selects and name == f"recall@{telling}",
                counts={"rows": len(self.named), "glossary": found.glossary},
            )
            for name, value in values.items()
        ]  # fmt: skip


def write_scores(
    folder: Path, found: dict[str, RetrievalScores], control: dict[str, RetrievalScores] | None
) -> None:  # fmt: skip
    """Write all scores by role, the sweep of thresholds among them, and those of the control under its name."""
    told: dict[str, Any] = {role: asdict(scores) for role, scores in found.items()}
    if control is not None:
        told[CONTROL] = {role: asdict(scores) for role, scores in control.items()}
    (folder / SCORES).write_text(json.dumps(told, indent=1), encoding="utf-8")
