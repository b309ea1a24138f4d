"""Answers: equal, alike, naming the right choice; ratings."""

from __future__ import annotations

from dataclasses import replace

import pytest
from triptych.errors import UsageError
from triptych.validators.metrics import choice
from triptych.validators.metrics.choice import Settings, metric, metrics_of
from triptych.validators.metrics.completion import chain_and_answer
from triptych.validators.metrics.metric import NAMES, Pair
from triptych.validators.metrics.ratings import item_score

PLACES = ("Mountain Canyon", "Dense Forest", "Open Grassland", "City Streets")


def is_right(name: str, reference: str, said: str, choices: tuple[str, ...] = ()) -> bool:
    pair = Pair(reference=reference, hypothesis=said, choices=choices)
    return metric(name, Settings()).count(pair).counts[0] == 1


def test_accuracy_is_equality_but_for_white_space_before() -> None:
    assert [is_right("accuracy", "neutral", said) for said in (" neutral", "neutral ", "Neutral", "neutral.")] == [
        True, False, False, False
    ]  # fmt: skip
    used = metric("accuracy", Settings())
    assert used.count(Pair(reference="neutral", hypothesis="Neutral.")).counts == (0, 1, 1)


@pytest.mark.parametrize(
    ("choices", "key", "said", "right"),
    [
        (PLACES, "Open Grassland", "open grassland.", True),
        (PLACES, "Open Grassland", "The answer is Open Grassland", True),
        (PLACES, "Open Grassland", "Grassland", False),
        (PLACES, "Open Grassland", "Open Grassland, not Dense Forest", False),
        (PLACES, "Open Grassland", "C", False),
        (PLACES, "Open Grassland", "", False),
        (("Yes", "No"), "Yes", "Yes, definitely not no", False),
        (("A man", "A woman"), "A man", "a man and a woman", False),
        (("The first", "The second"), "The first", "the first speaker", True),
    ],
)
def test_mmars_string_match(choices: tuple[str, ...], key: str, said: str, right: bool) -> None:
    assert is_right("mmar", key, said, choices) == right


def test_final_answers_are_compared_without_case_and_closing_punctuation() -> None:
    assert is_right("answer", "Open Grassland", " open grassland. ")
    assert is_right("answer", "Open Grassland", "(C)", PLACES)
    assert is_right("answer", "Open Grassland", "The answer is C.", PLACES)
    assert not is_right("answer", "Open Grassland", "Open Grassland or Dense Forest", PLACES)
    assert not is_right("answer", "愤怒", "高兴")
    assert is_right("answer", "愤怒", "愤怒。")


@pytest.mark.parametrize(
    ("text", "chain", "answer"),
    [
        ("Yes.", None, "Yes."),
        ("<think>loud</think>Yes.", "loud", "Yes."),
        ("loud</think><answer>No</answer><answer> Yes </answer>", "loud", "Yes"),
        ("<THINK>\n<PLANNING>\na</PLANNING></THINK>\n<RESPONSE>\nC</RESPONSE>\n", "a", "C"),
        ("<think>loud", "loud", ""),
    ],
)
def test_a_chain_is_no_part_of_the_answer(text: str, chain: str | None, answer: str) -> None:
    assert chain_and_answer(text) == (chain, answer)


def test_ratings_without_the_lowest_and_the_highest() -> None:
    ratings = [0.4, 0.6, 0.6, 0.8, 1.0]
    assert item_score(ratings, is_correct=True) == pytest.approx(2 / 3)
    assert item_score(ratings, is_correct=False) == 0
    with pytest.raises(UsageError, match="2 ratings"):
        item_score([1, 1], is_correct=True)
    used = metric("rubrics", Settings())
    given = tuple((rating,) for rating in ratings)
    right, full, wrong, unjudged = (
        used.count(Pair(reference="Yes", choices=("Yes", "No"), hypothesis=said, ratings=rated)).counts
        for said, rated in (("yes", given), ("Yes.", ((1.0,),) * 5), ("No", given), ("yes", None))
    )
    total = [sum(each) for each in zip(right, full, wrong, strict=True)]
    assert used.rate(total) == pytest.approx(55.56, abs=0.01)
    assert unjudged == (0, 0, 1, 1) and used.rate([sum(each) for each in zip(total, unjudged, strict=True)]) == \
        pytest.approx(55.56, abs=0.01)  # fmt: skip
    assert used.rate(unjudged) is None


@pytest.mark.parametrize(
    ("said", "right", "without_letter"),
    [
        ("B", True, False), ("B. male", True, False), ("The answer is B.", True, False), ("It is B", False, True),
        ("Because of it", True, False), ("male", False, True), ("b", False, True), ("A", False, False),
        ("", False, False), ("None", False, False), ("D", False, False),
    ],
)  # fmt: skip
def test_mmsu_looks_for_a_letter_at_two_places(said: str, right: bool, without_letter: bool) -> None:
    pair = Pair(reference="male", hypothesis=said, choices=("female", "male", "both"))
    assert metric("mmsu", Settings()).count(pair).counts == (right, 1, without_letter)


def test_the_score_of_a_response_is_the_mean_of_both_orders() -> None:
    used = metric("airbench", Settings())
    pair = Pair(reference="r", hypothesis="x", ratings=((7, 8), (8, 6)))
    assert used.count(pair).counts == (7.5, 1, 1, 7, True, 0)
    assert used.count(replace(pair, hypothesis=None)).counts == (0, 1, 0, 0, 0, 0)
    assert used.rate(used.count(replace(pair, ratings=None)).counts) is None


def test_every_metric_is_made_by_its_name() -> None:
    assert {name: metric(name, Settings()).name for name in NAMES if name != "bertscore"} == {
        name: name for name in NAMES if name != "bertscore"
    }
    assert [*choice._MADE] == [*NAMES]


def test_metrics_by_task() -> None:
    assert metrics_of("asr", "en", has_choices=False) == ("wer",)
    assert metrics_of("asr", "zh-CN", has_choices=False) == metrics_of("asr", "ja", has_choices=False) == ("cer",)
    assert metrics_of("qa", "en", has_choices=True) == ("mmar",)
    assert metrics_of(None, None, has_choices=False) == ("answer",)
