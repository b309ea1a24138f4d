"""Log-probabilities of answers, and the loss of pairs.

For a pair with the chosen answer w and the rejected one l (Rafailov et al. 2023, eq. 7):

    -log sigmoid(beta * ((log pi(w) - log ref(w)) - (log pi(l) - log ref(l))))

The logarithm of an answer's probability is the sum over its tokens, the one that ends it included; nothing of the
prompt is in it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..sft.labels import IGNORED

if TYPE_CHECKING:
    import torch

CHUNK = 1024
"""Tokens whose probabilities over the vocabulary are held at a time, in 32 bits."""


def answer_log_probs(logits: torch.Tensor, labels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The log-probability of each row's answer, and its number of tokens; both of shape (rows,).

    The backward pass computes the probabilities again, chunk by chunk: over a vocabulary of 150,000, those of a long
    answer are the largest tensors of a step.

    Args:
        logits: Shape (rows, positions, vocabulary).
        labels: Shape (rows, positions): the token at each position, or -100 where it is no part of the answer.
    """
    import torch
    from torch.utils.checkpoint import checkpoint

    targets = labels[:, 1:]
    is_answer = targets != IGNORED
    told = logits[:, :-1][is_answer]
    parts = [
        checkpoint(_log_probs, *each, use_reentrant=False)
        for each in zip(told.split(CHUNK), targets[is_answer].split(CHUNK), strict=True)
    ]
    counts = is_answer.sum(1)
    sums = [answer.sum() for answer in torch.cat(parts).split(counts.tolist())]
    return torch.stack(sums), counts


def _log_probs(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    from torch.nn.functional import cross_entropy

    return -cross_entropy(logits.float(), targets, reduction="none")


def rewards(policy: torch.Tensor, reference: torch.Tensor, *, beta: float) -> torch.Tensor:
    """What the model has learned to prefer, of log-probabilities: beta * (log pi - log ref)."""
    return beta * (policy - reference)


def pair_losses(chosen: torch.Tensor, rejected: torch.Tensor, *, label_smoothing: float = 0.0) -> torch.Tensor:
    """The loss of each pair, of the rewards of its sides.

    Args:
        label_smoothing: The share of pairs that are taken to be the wrong way round.
    """
    from torch.nn.functional import logsigmoid

    margin = chosen - rejected
    losses = -(1 - label_smoothing) * logsigmoid(margin)
    return losses - label_smoothing * logsigmoid(-margin) if label_smoothing else losses
