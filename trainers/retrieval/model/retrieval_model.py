"""The model that a run trains: projections of speech and of text to one space, and the encoders that it trains.

A clip lies near what it says there. Vectors are first brought to a mean of 0 and a spread of 1, as the training clips
have them before any step; both are saved with the weights and are not trained. An encoder that is not trained is no
part of the model: its vectors are given. torch is imported at the top: import this file where a run begins.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from .encoders import heard_by, read_by
from .model_inputs import AUDIO, NEAR, TERMS, TEXT, VECTORS, under


class Projection(nn.Module):  # type: ignore[misc]
    """A linear layer to vectors of length 1, in 32 bits whatever the encoder computes in."""

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
        with torch.autocast(vectors.device.type, enabled=False):
            return nn.functional.normalize(self.linear((vectors.float() - self.mean) / self.spread), dim=-1)


class RetrievalModel(nn.Module):  # type: ignore[misc]
    """Vectors of speech, of texts and of terms; texts and terms have one projection.

    Args:
        speech, text: Numbers of a vector of each encoder.
        speech_encoder, text_encoder: Those that are trained too.
    """

    def __init__(
        self, speech: int, text: int, dimension: int, *, speech_encoder: Any = None, text_encoder: Any = None
    ) -> None:
        super().__init__()
        self.speech = Projection(speech, dimension)
        self.text = Projection(text, dimension)
        self.dimension = dimension
        self.speech_encoder = speech_encoder
        self.text_encoder = text_encoder

    def forward(self, inputs: Mapping[str, Any]) -> dict[str, torch.Tensor]:
        """The vectors of whatever a batch has: `audio`, `text`, `terms`, `near`."""
        found = {}
        for name in (AUDIO, TEXT, TERMS, NEAR):
            if given := under(name, inputs):
                found[name] = self._speech(given) if name == AUDIO else self._text(given)
        return found

    def _speech(self, given: Mapping[str, Any]) -> torch.Tensor:
        held = given.get(VECTORS)
        return self.speech(heard_by(self.speech_encoder, **given) if held is None else held)

    def _text(self, given: Mapping[str, Any]) -> torch.Tensor:
        held = given.get(VECTORS)
        return self.text(read_by(self.text_encoder, **given) if held is None else held)
