"""What the plots of the page show. The template draws them as SVG, with the numbers in words beside them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from ..scores import RowScore, Score, Scores, label_of

TENTHS = 10
LARGEST_GROUP = 200
"""Values of a column that the page shows."""


@dataclass(frozen=True, slots=True)
class Group:
    """The scores of one kind over the values of one column, or over all rows; they share one scale.

    Attributes:
        column: Empty for all rows.
        low, high: The ends of the scale.
        more: How many further values the column has.
    """

    label: str
    column: str
    scores: Sequence[Score]
    low: float
    high: float
    more: int = 0

    def place(self, value: float) -> float:
        """Where a value is on the scale: 0 to 1."""
        return (min(max(value, self.low), self.high) - self.low) / (self.high - self.low)


def key_of(score: Score | RowScore) -> tuple[str, str, str]:
    """What scores of one kind have in common: counts of different units do not add up."""
    return score.metric, score.unit, score.compared


def groups_of(scores: Iterable[Score]) -> list[Group]:
    """The scores, those of one kind and column together, in their order."""
    found: dict[tuple[tuple[str, str, str], str], list[Score]] = {}
    for each in scores:
        found.setdefault((key_of(each), ", ".join(each.by)), []).append(each)
    return [_group(column, listed) for (_, column), listed in found.items()]


def _group(column: str, listed: Sequence[Score]) -> Group:
    scores, more = listed[:LARGEST_GROUP], max(0, len(listed) - LARGEST_GROUP)
    top = float(scores[0].most)
    values = [value for each in scores for value in (each.value, each.low, each.high) if value is not None]
    # Error rates are often small: their scale ends at the largest of them.
    high = max(values, default=top) if scores[0].better == "low" else max([top, *values])
    return Group(label_of(scores[0]), column, scores, min([0.0, *values]), high or top, more)


@dataclass(frozen=True, slots=True)
class Histogram:
    """How many rows have which score.

    Attributes:
        labels: The range of each bar.
        counts: Its rows.
        without: Rows that have no score of their own.
    """

    label: str
    scale: str
    labels: Sequence[str]
    counts: Sequence[int]
    without: int


def histograms_of(scores: Scores) -> list[Histogram]:
    """One for each metric whose rows are not just right or wrong."""
    values: dict[tuple[str, str, str], list[float | None]] = {}
    for row in scores.rows:
        for each in row.scores:
            if row.prediction is not None:
                values.setdefault(key_of(each), []).append(each.value)
    kinds = {key_of(each): each for each in scores.scores}
    return [
        _histogram(kinds[key], rates)
        for key, rates in values.items()
        if any(rate is not None and rate not in (0, kinds[key].most) for rate in rates)
    ]


def _histogram(score: Score, rates: Sequence[float | None]) -> Histogram:
    """Bars for exactly 0, for each tenth above it, and for more than all."""
    edges = [score.most * number / TENTHS for number in range(TENTHS + 1)]
    percent = 1 if score.scale == "points" else 100
    known = [rate for rate in rates if rate is not None]
    counts = [sum(rate <= edges[0] for rate in known)]
    counts += [sum(low < rate <= high for rate in known) for low, high in pairwise(edges)]
    labels = ["0", *(f"to {percent * high:.0f}" for high in edges[1:])]
    if more := sum(rate > edges[-1] for rate in known):
        counts.append(more)
        labels.append("more")
    return Histogram(label_of(score), score.scale, labels, counts, len(rates) - len(known))
