"""What a metric is: it counts something in each pair of a reference and a hypothesis, and makes a score of the sums.

Counts add up over rows, so one pass over the rows gives the score of any group of them and of any resample. A row
without a prediction has counts that a wrong prediction could have: it never makes a score better than silence would.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

NAMES = (
    "wer", "cer", "per", "position_accuracy", "accuracy", "answer", "mmar", "mmsu", "bleu", "bleu_source", "rouge",
    "bertscore", "rubrics", "airbench",
)  # fmt: skip
"""The metrics; choice.py makes them."""
JUDGED = frozenset({"rubrics", "airbench"})
"""Those that a judge's ratings are counted for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """What is right, and what a model said.

    Attributes:
        reference: The right text.
        hypothesis: What the model said; None if there is no prediction.
        language: The language of the speech, BCP 47.
        target_language: The language of its translation.
        source: The name of the list that the row is of: `covost2_en_zh_test`.
        choices: The options of a question.
        ratings: What a judge gave, of each of its calls; None if the row was not judged.
        where: The row, for messages.
    """

    reference: str
    hypothesis: str | None
    language: str | None = None
    target_language: str | None = None
    source: str | None = None
    choices: tuple[str, ...] = ()
    ratings: tuple[tuple[float, ...], ...] | None = None
    where: str = ""


@dataclass(frozen=True, slots=True)
class Counted:
    """What a metric counted in one pair.

    Attributes:
        counts: One number for each of the metric's `fields`.
        unit: What was counted (words, characters, phones, BLEU's tokens). Counts of different units do not add up.
        reference, hypothesis: The texts that were compared, after normalization.
    """

    counts: tuple[float, ...]
    unit: str
    reference: str
    hypothesis: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """A metric.

    Attributes:
        name: Its name in options and results: `wer`.
        about: What it says, in one line.
        fields: The names of its counts.
        count: Counts one pair.
        rate: The score of summed counts; None where there is nothing to divide by.
        better: Whether higher or lower scores are better.
        scale: `share`: 1 is all, shown in percent; `points`, as BLEU is given.
        most: The points of what nothing is wrong with.
        of: Whether it compares answers, or chains of thought where the reference has one.
        details: What must be known to repeat it: versions, settings.
    """

    name: str
    about: str
    fields: tuple[str, ...]
    count: Callable[[Pair], Counted]
    rate: Callable[[Sequence[float]], float | None]
    better: Literal["high", "low"] = "high"
    scale: Literal["share", "points"] = "share"
    most: int = 100
    of: Literal["answer", "chain"] = "answer"
    details: Mapping[str, str] = field(default_factory=dict)


def share(counts: Sequence[float]) -> float | None:
    """The first count as a share of the second."""
    return counts[0] / counts[1] if counts[1] else None
