"""Sampling with a seed for each row of a batch, and the end of answers at stop strings, for `generate`.

Adding Gumbel noise to log-probabilities and taking the largest is a draw from their distribution (Gumbel, 1954). With
the noise of each row from a generator of its own, a row's answer does not depend on the rows beside it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

_MARGIN = 16
"""Tokens looked at beyond those of the longest stop string: one token may hold several of its characters, or parts."""


class SeededChoice:
    """A logits processor: temperature, nucleus, and noise from a generator for each row."""

    def __init__(self, seeds: Sequence[int], *, temperature: float, top_p: float) -> None:
        import torch

        self.temperature = temperature
        self.top_p = top_p
        # On the processor whatever the device, so that a seed gives the same noise everywhere.
        self._generators = [torch.Generator("cpu").manual_seed(seed) for seed in seeds]

    def __call__(self, input_ids: Any, scores: Any) -> Any:
        import torch

        scores = torch.log_softmax(scores.float() / self.temperature, dim=-1)
        if self.top_p < 1:
            ordered, places = scores.sort(dim=-1, descending=True)
            above = ordered.exp().cumsum(dim=-1) - ordered.exp()  # of the tokens that are likelier
            dropped = (above >= self.top_p).scatter(-1, places, above >= self.top_p)
            scores = scores.masked_fill(dropped, -torch.inf)
        noise = torch.stack(
            [torch.rand(scores.shape[-1], generator=generator, dtype=torch.float64) for generator in self._generators]
        )
        gumbel = -torch.log(-torch.log(noise.clamp(1e-300, 1 - 1e-16)))
        return scores + gumbel.to(scores.device, scores.dtype)


class StopTexts:
    """A stopping criterion: a row ends when its answer holds one of the texts."""

    def __init__(self, stop: Sequence[str], tokenizer: Any, asked_length: int) -> None:
        self.stop = tuple(stop)
        self.tokenizer = tokenizer
        self.asked_length = asked_length
        self._tail = max(map(len, stop)) + _MARGIN

    def __call__(self, input_ids: Any, scores: Any, **kwargs: Any) -> Any:
        import torch

        said = input_ids[:, max(self.asked_length, input_ids.shape[1] - self._tail) :]
        texts = self.tokenizer.batch_decode(said, skip_special_tokens=True)
        ended = [any(stop in text for stop in self.stop) for text in texts]
        return torch.tensor(ended, device=input_ids.device)
