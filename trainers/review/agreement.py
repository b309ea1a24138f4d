"""Shares of verdicts with their intervals, and the agreement of two reviewers.

The interval of a share is Wilson's: for k of n, with z = 1.96, the middle is (k + z²/2) / (n + z²) and half its width
z / (n + z²) * sqrt(k (n - k) / n + z²/4) (Wilson, Probable Inference, the Law of Succession, and Statistical Inference,
1927). It holds for few rows and for shares near 0 or 1, and says nothing of rows that were not drawn at random.

Cohen's kappa is (p - e) / (1 - e): the share p of rows on which two reviewers agree, beside the share e that would be
expected if each gave his verdicts at random, as often as he did (Cohen, A Coefficient of Agreement for Nominal Scales,
1960). Where e is 1, both gave one and the same verdict to all rows, it is not defined.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations

from .answers import Answer, Reviews, judged
from .options import VERDICTS

Z = 1.959963984540054
"""The 97.5th percentile of the standard normal distribution: intervals are of 95 %."""


@dataclass(frozen=True, slots=True)
class Share:
    """How often a verdict was given: the count of `of` rows, its share, and the 95 % interval of the share."""

    verdict: str
    count: int
    of: int
    share: float | None
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class ReviewerShares:
    """What one reviewer said.

    Attributes:
        unjudged: Ids of rows that have no verdict.
        strata: Stratum -> shares, if the draw had strata.
    """

    reviewer: str
    rows: int
    judged: int
    shares: Sequence[Share]
    strata: Mapping[str, Sequence[Share]] = field(default_factory=dict)
    unjudged: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Disagreement:
    """One row on which two reviewers disagree."""

    id: str
    verdicts: Mapping[str, str]
    notes: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Agreement:
    """The agreement of two reviewers on the rows that both judged; `kappa` is None where it is not defined."""

    reviewers: tuple[str, str]
    rows: int
    agreed: int
    share: float | None
    low: float
    high: float
    kappa: float | None
    disagreements: Sequence[Disagreement] = ()


def wilson(count: int, of: int, *, z: float = Z) -> tuple[float, float]:
    """The interval of a share; the whole range if there are no rows."""
    if not of:
        return 0.0, 1.0
    middle = (count + z * z / 2) / (of + z * z)
    half = z / (of + z * z) * math.sqrt(count * (of - count) / of + z * z / 4)
    # At 0 and at all of the rows the bound is exact; the roots leave 1e-17 there.
    return (0.0 if count == 0 else middle - half), (1.0 if count == of else middle + half)


def shares_of(reviews: Reviews) -> list[ReviewerShares]:
    """The shares of each reviewer, overall and by stratum."""
    found = []
    for reviewer, rows in reviews.answers.items():
        said = judged(rows)
        strata: dict[str, list[Answer]] = {}
        for answer in said.values() if reviews.by else ():
            strata.setdefault(answer.stratum, []).append(answer)
        by_stratum = {name: _shares(answers) for name, answers in sorted(strata.items())}
        unjudged = [identity for identity in rows if identity not in said]
        found.append(ReviewerShares(reviewer, len(rows), len(said), _shares(list(said.values())), by_stratum, unjudged))
    return found


def _shares(answers: Sequence[Answer]) -> list[Share]:
    counts, of = Counter(answer.verdict for answer in answers), len(answers)
    return [
        Share(verdict, counts[verdict], of, counts[verdict] / of if of else None, *wilson(counts[verdict], of))
        for verdict in VERDICTS
    ]


def agreements_of(reviews: Reviews) -> list[Agreement]:
    """The agreement of every two reviewers."""
    return [_agreement(first, second, reviews) for first, second in combinations(reviews.answers, 2)]


def _agreement(first: str, second: str, reviews: Reviews) -> Agreement:
    one, two = judged(reviews.answers[first]), judged(reviews.answers[second])
    both = [identity for identity in one if identity in two]
    pairs = [(one[identity].verdict, two[identity].verdict) for identity in both]
    agreed = sum(left == right for left, right in pairs)
    apart = [
        Disagreement(
            identity,
            {first: one[identity].verdict, second: two[identity].verdict},
            {name: answer.note for name, answer in ((first, one[identity]), (second, two[identity])) if answer.note},
        )
        for identity, (left, right) in zip(both, pairs, strict=True)
        if left != right
    ]
    share = agreed / len(pairs) if pairs else None
    return Agreement((first, second), len(pairs), agreed, share, *wilson(agreed, len(pairs)), kappa(pairs), apart)


def kappa(pairs: Sequence[tuple[str, str]]) -> float | None:
    """Cohen's kappa of pairs of verdicts, unweighted; None where it is not defined."""
    if not pairs:
        return None
    total = len(pairs)
    left, right = Counter(one for one, _ in pairs), Counter(two for _, two in pairs)
    agreed = sum(one == two for one, two in pairs)
    by_chance = sum(left[name] * right[name] for name in left)
    if by_chance == total * total:
        return None
    return (agreed * total - by_chance) / (total * total - by_chance)
