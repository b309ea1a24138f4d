"""The losses of term retrieval, against values worked out by hand and by InfiniSST's own functions."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from triptych.trainers.retrieval.objective.loss import (  # noqa: E402
    LossSettings,
    hard_negative_loss,
    info_nce,
    no_term_loss,
)


def _similarities(audio: list[list[float]], text: list[list[float]]) -> torch.Tensor:
    return torch.tensor(audio, dtype=torch.float32) @ torch.tensor(text, dtype=torch.float32).T


def test_both_directions_of_a_batch() -> None:
    found = info_nce(_similarities([[1, 0], [0.6, 0.8]], [[0.8, 0.6], [0, 1]]), torch.eye(2, dtype=torch.bool))

    assert [float(found.to_text), float(found.to_audio)] == pytest.approx([1.19129, 1.19129], abs=1e-5)
    assert 0.3 * float(found.mean) + 0.7 * float(found.mean) == pytest.approx(1.19129, abs=1e-5)


def test_a_term_that_occurs_twice_is_no_negative_of_itself() -> None:
    twice = _similarities([[1, 0], [0.6, 0.8]], [[1, 0], [1, 0]])
    as_others = info_nce(twice, torch.eye(2, dtype=torch.bool))
    as_one = info_nce(twice[:, :1], torch.ones(2, 1, dtype=torch.bool))

    assert float(as_others.to_text) == pytest.approx(0.693147, abs=1e-6)  # what the published code takes for a loss
    assert float(as_others.to_audio) == pytest.approx(2.860435, abs=1e-6)
    assert float(as_one.mean) == float(info_nce(twice, torch.ones(2, 2, dtype=torch.bool)).mean) == 0


def test_a_clip_with_two_terms_is_held_against_the_terms_of_others() -> None:
    similarities = torch.tensor([[0.9, 0.1, 0.5]])
    found = info_nce(similarities, torch.tensor([[True, True, False]]), temperature=1.0)

    expected = (torch.log1p(torch.exp(torch.tensor(-0.4))) + torch.log1p(torch.exp(torch.tensor(0.4)))) / 2
    assert float(found.to_text) == pytest.approx(float(expected))


def test_a_clip_without_terms_is_pushed_from_the_nearest() -> None:
    audio = torch.tensor([[0.0, 1.0]], requires_grad=True)
    loss = no_term_loss(audio @ torch.tensor([[0.8, 0.6], [0.0, 1.0]]).T)
    loss.backward()

    assert float(loss.detach()) == pytest.approx(0.85)
    assert float(LossSettings().weighted({"no_term": loss})["no_term"].detach()) == pytest.approx(0.425)
    assert audio.grad is not None and audio.grad.tolist() == [[0.0, 1.0]]


def test_near_terms_pull_on_both_sides() -> None:
    own, others = torch.tensor([0.8], requires_grad=True), torch.tensor([[0.75, 0.5, 0.72]], requires_grad=True)
    loss = hard_negative_loss(own, others)
    loss.backward()

    assert float(loss.detach()) == pytest.approx(0.0233333, abs=1e-6)
    assert 0.2 * float(loss.detach()) == pytest.approx(0.0046667, abs=1e-6)
    assert own.grad is not None and others.grad is not None
    assert own.grad.tolist() == pytest.approx([-2 / 3]) and others.grad[0].tolist() == pytest.approx([1 / 3, 0, 1 / 3])


@pytest.mark.parametrize("positives", [torch.ones(2, 2, dtype=torch.bool), torch.zeros(2, 2, dtype=torch.bool)])
def test_a_batch_without_others_or_without_terms_has_a_loss_and_gradients_of_zero(positives: torch.Tensor) -> None:
    similarities = torch.tensor([[0.5, 0.1], [0.2, 0.9]], requires_grad=True)
    loss = info_nce(similarities, positives).mean + no_term_loss(similarities[:0])
    loss.backward()

    assert float(loss.detach()) == 0 and similarities.grad is not None and not similarities.grad.any()
