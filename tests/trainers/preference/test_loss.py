"""The loss of pairs, from log-probabilities and from logits."""

from __future__ import annotations

import pytest
from triptych.trainers.preference.loss import CHUNK, answer_log_probs, pair_losses, rewards

torch = pytest.importorskip("torch")


@pytest.mark.parametrize(
    ("chosen", "rejected", "expected"), [(-10, -12, 0.598139), (-11, -11, 0.693147), (-12, -10, 0.798139)]
)
def test_the_loss_of_known_pairs(chosen: float, rejected: float, expected: float) -> None:
    sides = rewards(torch.tensor([chosen, rejected]).double(), torch.tensor([-11.0, -11.0]).double(), beta=0.1)
    assert float(pair_losses(sides[:1], sides[1:])) == pytest.approx(expected, abs=1e-6)


def test_smoothed_labels_take_some_pairs_to_be_the_wrong_way_round() -> None:
    one, two = torch.tensor([0.7]), torch.tensor([0.2])
    smoothed = pair_losses(one, two, label_smoothing=0.1)
    assert float(smoothed) == pytest.approx(0.9 * float(pair_losses(one, two)) + 0.1 * float(pair_losses(two, one)))


def test_log_probabilities_are_sums_over_answers_alone() -> None:
    torch.manual_seed(0)
    length = CHUNK + 40  # more than one chunk
    logits = torch.randn(2, length, 7, requires_grad=True)
    labels = torch.randint(0, 7, (2, length))
    labels[:, :3] = -100
    labels[1, 9:] = -100
    found, tokens = answer_log_probs(logits, labels)
    whole = logits.log_softmax(-1)
    expected = [
        sum(whole[row, place - 1, labels[row, place]] for place in range(3, length) if labels[row, place] >= 0)
        for row in range(2)
    ]
    assert tokens.tolist() == [length - 3, 6]
    torch.testing.assert_close(found, torch.stack(expected))
    [grown] = torch.autograd.grad(found.sum(), logits)
    [told] = torch.autograd.grad(sum(expected), logits)
    torch.testing.assert_close(grown, told)
    assert not grown[1, 8:].any()
