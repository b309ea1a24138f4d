"""What is trained: from the vectors of speech and of text to one space, in which a clip lies near what it says.

Vectors are first brought to a mean of 0 and a spread of 1, as the training clips have them; both are saved with the
weights and are not trained. torch is imported at the top: import this file where a run begins.
"""

from __future__ import annotations

import torch
from torch import nn


class Projection(nn.Module):  # type: ignore[misc]
    """A linear layer to vectors of length 1."""

    mean: torch.Tensor
    spread: torch.Tensor

    def __init__(self, width: int, dimension: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(width))
        self.register_buffer("spread", torch.ones(width))
        self.linear = nn.Linear(width, dimension)

    def fit(self, vectors: torch.Tensor) -> None:
        """Take mean and spread of these vectors."""
        self.mean.copy_(vectors.mean(0))
        self.spread.copy_(vectors.std(0, correction=0).clamp(min=1e-6))

    def forward(self, vectors: torch.Tensor) -> torch.Tensor:
        return nn.functional.normalize(self.linear((vectors - self.mean) / self.spread), dim=-1)


class Projections(nn.Module):  # type: ignore[misc]
    """Those of speech and of text; terms and texts have one."""

    def __init__(self, speech: int, text: int, dimension: int) -> None:
        super().__init__()
        self.speech = Projection(speech, dimension)
        self.text = Projection(text, dimension)
