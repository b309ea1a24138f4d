"""Self-consistency: the final answer that most of several answers give."""

from __future__ import annotations

import pytest
from triptych.validators.metrics.vote import Vote, final_answer, gain_of, vote

CHOICES = ["Mountain Canyon", "Dense Forest", "Open Grassland"]


def test_of_equally_many_the_answer_seen_first_wins() -> None:
    found = vote(["C", "c.", "B", "", "B"])
    assert found == Vote(place=0, final="c", votes=2, valid=4, asked=5)
    assert found.agreement == 0.5 and found.abstention == pytest.approx(0.2)


def test_a_letter_and_the_text_of_its_option_are_one_vote() -> None:
    found = vote(["The answer is B.", "open grassland", "c.", "(C)"], CHOICES)
    assert (found.place, found.final, found.votes) == (1, "open grassland", 3)


def test_answers_without_a_final_answer_abstain() -> None:
    found = vote(["<think>It may be C", "Mountain Canyon or Dense Forest", "no idea", " "], CHOICES)
    assert found == Vote(None, None, 0, 0, 4) and found.agreement is None and found.abstention == 1


@pytest.mark.parametrize(
    ("text", "final"),
    [
        ("<think>\nA? No.\n</think>\n\nYes!", "yes"),
        ("<think>x</think><answer> Two </answer>", "two"),
        ("<think>x</think>\n<RESPONSE>\nThe answer is C.</RESPONSE>\n", "the answer is c"),
        ("愤怒。", "愤怒"),
        ("...", None),
        ("<THINK>x", None),
    ],
)
def test_a_final_answer_follows_the_chain(text: str, final: str | None) -> None:
    assert final_answer(text) == final


def test_the_gain_is_over_one_answer_alone() -> None:
    found = gain_of([(["A", "B", "A"], "a.", ()), (["A", "B", "C"], "B", ()), (["", "", ""], "B", ())])
    assert found is not None and (found.questions, found.voted) == (3, pytest.approx(1 / 3))
    assert found.single == pytest.approx((2 / 3 + 1 / 3) / 3) and found.gain == pytest.approx(0)
    assert gain_of([]) is None
    [one] = [gain_of([(["x", "(C)", "c"], "Open Grassland", CHOICES)])]
    assert one is not None and one.voted == 1 and one.single == pytest.approx(2 / 3)
