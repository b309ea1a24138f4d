"""Leaving out predictions never makes a score better: a row without one counts as wrong.

Error rates and BLEU have no bound on what a prediction may add to a reference: there the predictions that are left out
are ones that silence would not have improved.
"""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from triptych.validators.metrics.choice import Settings, metric
from triptych.validators.metrics.metric import NAMES, Pair

WORDS = ["the", "a", "cat", "dog", "sat", "on", "mat", "of", "sil", "aa", "b", "今", "天", "yes", "no", "one"]
CHOICES = ("yes", "no", "a cat")


def made(draw: random.Random, name: str) -> Pair:
    """A reference, and what is left of it: some of it is wrong, some is missing."""
    reference = draw.choices(WORDS, k=draw.randrange(0, 9))
    wrong = draw.random()
    said = [draw.choice(WORDS) if draw.random() < wrong else word for word in reference if draw.random() < 0.9]
    if draw.random() < 0.1:
        reference, said = ["yes"], ["yes"]
    ratings = ((draw.random(), 1.0),) if name == "airbench" else ((draw.random(),),) * 3
    return Pair(reference=" ".join(reference), hypothesis=" ".join(said), language=draw.choice(["en", "fr"]),
                target_language="en", choices=CHOICES, ratings=ratings)  # fmt: skip


@pytest.mark.parametrize("name", sorted({*NAMES} - {"bertscore"}))  # a mean over rows, as rouge
@pytest.mark.parametrize("count", [40, pytest.param(2_000, marks=pytest.mark.thorough)])
def test_a_score_never_rises_by_leaving_out(name: str, count: int) -> None:
    used = metric(name, Settings())
    draw = random.Random(name)
    for _ in range(count):
        pairs = [made(draw, name) for _ in range(draw.choice([1, 5, 20]))]
        counts = [used.count(pair).counts for pair in pairs]
        for place in draw.sample(range(len(pairs)), max(1, len(pairs) // 10)):
            lost = used.count(replace(pairs[place], hypothesis=None)).counts
            if used.better == "low" and sum(counts[place][:3]) > sum(lost[:3]):
                continue
            counts[place] = lost
        before, after = (
            used.rate([sum(each) for each in zip(*rows, strict=True)])
            for rows in ([used.count(pair).counts for pair in pairs], counts)
        )
        if before is None or after is None:
            assert (before is None) == (after is None)
            continue
        worse = after - before if used.better == "low" else before - after
        assert worse > -1e-9, (before, after, pairs)
