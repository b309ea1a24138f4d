"""What a run of inference did, in counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ...validators.metrics.vote import Gain, gain_of
from ..evaluation.predictions import Prediction
from .backends.answers import LENGTH
from .questions import Question

SHOWN_ERRORS = 20


@dataclass(frozen=True, slots=True)
class SelfConsistency:
    """What several answers to each row agreed on.

    Attributes:
        rows: Rows with several answers.
        agreement: Mean share of the winner among the answers that did not abstain.
        abstention: Mean share of answers without a final answer.
        gain: Of rows with a reference: right by vote, and by one answer alone.
    """

    rows: int
    agreement: float | None
    abstention: float
    gain: Gain | None


@dataclass(frozen=True, slots=True)
class Counts:
    """What is in a file of predictions.

    Attributes:
        rows: All rows.
        errors: Rows without a prediction, by reason; `first_errors` are the first of them: id and error.
        truncated: Answers that reached the largest number of tokens.
        shortened, windowed: Rows whose sound was cut, or asked window by window.
        sound_seconds: Seconds of sound of all rows, as far as it was decoded.
    """

    rows: int
    errors: Mapping[str, int]
    first_errors: Sequence[tuple[str, str]]
    truncated: int
    shortened: int
    windowed: int
    sound_seconds: float

    @classmethod
    def of(cls, predictions: Sequence[Prediction]) -> Counts:
        failed = [(str(row.id), row.error) for row in predictions if row.error is not None]
        return cls(
            rows=len(predictions),
            errors=dict(Counter(error.partition(":")[0] for _, error in failed)),
            first_errors=failed[:SHOWN_ERRORS],
            truncated=sum(row.fields.get("finish") == LENGTH for row in predictions),
            shortened=sum("heard_s" in row.fields for row in predictions),
            windowed=sum("windows" in row.fields for row in predictions),
            sound_seconds=round(sum(float(row.fields.get("seconds") or 0) for row in predictions), 3),
        )


@dataclass(frozen=True, slots=True)
class InferResult:
    """What a run did.

    Attributes:
        out: The file of predictions; None if none was asked for.
        model, revision: What answered.
        counts: What is in the file now.
        answered: Rows that this run answered; `continued`: rows that an earlier one had answered.
        seconds: Seconds that this run took.
        notes: What a user should know.
        predictions: The rows, where no file was asked for.
    """

    out: Path | None
    model: str
    revision: str | None
    counts: Counts
    answered: int
    continued: int
    seconds: float
    self_consistency: SelfConsistency | None = None
    notes: Sequence[str] = ()
    predictions: Sequence[Prediction] = field(default=(), repr=False)

    @property
    def passed(self) -> bool:
        """Whether every row has a prediction."""
        return not self.counts.errors


def consistency_of(predictions: Sequence[Prediction], questions: Sequence[Question]) -> SelfConsistency | None:
    """What the several answers of rows agreed on; None if no row has several."""
    rows = [(row, question) for row, question in zip(predictions, questions, strict=False) if row.predictions]
    if not rows:
        return None
    agreed = [float(row.fields["agreement"]) for row, _ in rows if row.fields.get("agreement") is not None]
    asked = [(row.predictions, question.gt, question.choices) for row, question in rows if question.gt is not None]
    return SelfConsistency(
        rows=len(rows),
        agreement=sum(agreed) / len(agreed) if agreed else None,
        abstention=sum(float(row.fields["abstention"]) for row, _ in rows) / len(rows),
        gain=gain_of(asked),
    )
