"""Scores of a pronunciation, by hand."""

from __future__ import annotations

import pytest
from triptych.trainers.phoneme.decoder import Goodness, Heard, SaidPhone
from triptych.trainers.phoneme.scores.pronunciation import assess

SILENCE = {"sil"}


def heard(text: str, goods: str = "") -> Heard:
    phones = tuple(SaidPhone(phone, 0.5) for phone in text.split())
    goodness = tuple(Goodness(phone, -1.0 - place, 0.1, "x") for place, phone in enumerate(goods.split()))
    return Heard(phones, 0.9, "end", 1.0, 0.0, goodness)


@pytest.mark.parametrize(
    ("canonical", "said", "counts", "scores"),
    [
        ("sh iy hh", "sh iy hh", (3, 0, 0, 0, 0, 0), (1.0, 1.0, 1.0)),
        ("sil sh iy sil", "sh iy", (2, 0, 0, 0, 0, 0), (1.0, 1.0, 1.0)),  # silence is no phone
        ("sh iy hh ae", "sh ih hh", (2, 1, 1, 0, 0, 0), (2 / 3, 3 / 4, 1.0)),
        ("sh iy", "sh sil iy", (2, 0, 0, 0, 1, 0), (1.0, 1.0, 0.0)),  # a pause in the only place
        ("sh iy hh", "sil sh iy hh sil", (3, 0, 0, 0, 0, 0), (1.0, 1.0, 1.0)),  # before and after it is none
        ("b ah t er", "b b ah t er", (4, 0, 0, 1, 0, 1), (4 / 5, 1.0, 3 / 4)),  # a stammer
        ("b ah", "b b b ah", (2, 0, 0, 2, 0, 2), (2 / 4, 1.0, 1 / 3)),  # and again
        ("b ah", "b t t ah", (2, 0, 0, 2, 0, 1), (2 / 4, 1.0, 2 / 3)),  # of two that are too many one is the other's
        ("b b", "b b", (2, 0, 0, 0, 0, 0), (1.0, 1.0, 1.0)),
        ("sh iy", "sil", (0, 0, 2, 0, 0, 0), (None, 0.0, None)),
        ("sh", "sil", (0, 0, 1, 0, 0, 0), (None, 0.0, None)),  # a phone that was heard as silence is left out
        ("sil", "sh", (0, 0, 0, 1, 0, 0), (0.0, None, None)),
        ("sh iy", "", (0, 0, 2, 0, 0, 0), (None, 0.0, None)),
    ],
)  # fmt: skip
def test_scores_are_the_formulas_of_the_docs(
    canonical: str, said: str, counts: tuple[int, ...], scores: tuple[float | None, ...]
) -> None:
    found = assess(canonical.split(), heard(said), silence=SILENCE)
    assert found is not None
    told = (found.correct, found.substitutions, found.deletions, found.insertions, found.pauses, found.repetitions)
    assert told == counts
    assert (found.accuracy, found.completeness, found.fluency) == pytest.approx(scores)


def test_goodness_stands_beside_its_phone_and_silence_has_no_part_in_the_mean() -> None:
    found = assess(["sh", "sil", "iy"], heard("sh iy iy", "sh sil iy"), silence=SILENCE)
    assert found is not None and found.goodness == pytest.approx((-1.0 - 3.0) / 2)
    assert [(each.canonical, each.said, each.goodness) for each in found.alignment if each.canonical] == [
        ("sh", "sh", -1.0), ("sil", "iy", -2.0), ("iy", "iy", -3.0),
    ]  # fmt: skip
    assert [each.operation for each in found.alignment] == ["equal", "insertion", "equal"]


def test_without_a_label_of_silence_fluency_is_unknown() -> None:
    found = assess(["sh", "iy"], heard("sh iy"), silence=())
    assert found is not None and (found.fluency, found.accuracy) == (None, 1.0)
