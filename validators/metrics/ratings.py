"""Ratings of a judge as scores.

    rubrics    the Audio Reasoning Challenge: how a chain of thought meets the points of its question, 0 to 100. A wrong
               answer has 0. Else each of several ratings is the share of points that were given; without the lowest
               and the highest, their mean counts. The score of a data set is the mean of its items, times 100.
    airbench   AIR-Bench chat: how good a response is beside a reference, 1 to 10; the mean of both orders

A row without a prediction has the least score. A row that has no valid ratings is not evaluated: it is counted apart
and moves no score.
"""

from __future__ import annotations

from collections.abc import Sequence

from ...errors import UsageError
from .answers import names_choice
from .metric import Counted, Metric, Pair, share

LEAST_RATINGS = 3
"""Fewer leave nothing once the lowest and the highest are dropped."""


def item_score(ratings: Sequence[float], *, is_correct: bool) -> float:
    """The rubric score of one item, 0 to 1.

    Raises:
        UsageError: There are fewer than three ratings of a right answer.
    """
    if not is_correct:
        return 0.0
    if len(ratings) < LEAST_RATINGS:
        raise UsageError(f"{len(ratings)} ratings: at least {LEAST_RATINGS} are needed, since two are dropped.")
    kept = sorted(ratings)[1:-1]
    return sum(kept) / len(kept)


def rubrics() -> Metric:
    """The rubric score; `ratings` of a pair are lists of one share."""

    def count(pair: Pair) -> Counted:
        said = (pair.hypothesis or "").strip()
        if pair.hypothesis is None or not names_choice(said, pair.reference, pair.choices):
            return Counted((0, 1, 0, 0), "rows", pair.reference, said)
        if pair.ratings is None:
            return Counted((0, 0, 1, 1), "rows", pair.reference, said)
        points = item_score([rating for (rating,) in pair.ratings], is_correct=True)
        return Counted((points, 1, 1, 0), "rows", pair.reference, said)

    def rate(counts: Sequence[float]) -> float | None:
        found = share(counts)
        return None if found is None else 100 * found

    return Metric(
        name="rubrics", about="points of the rubrics that the chains of right answers meet, by a judge",
        fields=("points", "evaluated", "correct", "not_evaluated"), count=count, rate=rate, scale="points",
    )  # fmt: skip


def airbench() -> Metric:
    """The score of responses; `ratings` of a pair are the scores of response and reference, of each order."""

    def count(pair: Pair) -> Counted:
        if pair.hypothesis is None:
            return Counted((0, 1, 0, 0, 0, 0), "rows", pair.reference, "")
        if pair.ratings is None:
            return Counted((0, 0, 0, 0, 0, 1), "rows", pair.reference, pair.hypothesis)
        own, other = (sum(side) / len(pair.ratings) for side in zip(*pair.ratings, strict=True))
        return Counted((own, 1, 1, other, own > other, 0), "rows", pair.reference, pair.hypothesis)

    return Metric(
        name="airbench", about="scores of responses, 1 to 10, by a judge that sees them before and after the reference",
        fields=("points", "evaluated", "judged", "reference_points", "better_than_reference", "not_evaluated"),
        count=count, rate=share, scale="points", most=10,
    )  # fmt: skip
