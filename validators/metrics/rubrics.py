"""The rubric score of the Audio Reasoning Challenge: how a chain of thought meets the points that a judge looks for.

A wrong answer has 0. Else each of several ratings is the share of points that were given; without the lowest and the
highest, their mean counts. The score of a data set is the mean of its items, times 100.
"""

from __future__ import annotations

from collections.abc import Sequence

from ...errors import UsageError

LEAST_RATINGS = 3
"""Fewer leave nothing once the lowest and the highest are dropped."""


def item_score(ratings: Sequence[float], *, is_correct: bool) -> float:
    """The score of one item, 0 to 1.

    Raises:
        UsageError: There are fewer than three ratings of a right answer.
    """
    if not is_correct:
        return 0.0
    if len(ratings) < LEAST_RATINGS:
        raise UsageError(f"{len(ratings)} ratings: at least {LEAST_RATINGS} are needed, since two are dropped.")
    kept = sorted(ratings)[1:-1]
    return sum(kept) / len(kept)


def dataset_score(scores: Sequence[float]) -> float | None:
    """The score of a data set, 0 to 100; None if it has no items."""
    return 100 * sum(scores) / len(scores) if scores else None
