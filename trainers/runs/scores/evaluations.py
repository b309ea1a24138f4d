"""Scores of a model while it is trained: its loss on one export, its answers to another.

An evaluation leaves no trace in the run: random states and the model's mode are as before.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from ...models.families import base_model


@dataclass(frozen=True, slots=True)
class Measurement:
    """One score of a model.

    Attributes:
        name: `loss`, `wer` ...
        more_is_better: Which way it is better.
        selects: Whether the best checkpoint is chosen by it.
        counts: What it was taken over, for the record.
    """

    name: str
    value: float
    more_is_better: bool = False
    selects: bool = False
    counts: dict[str, Any] | None = None


Measure = Callable[[Any], Sequence[Measurement]]
"""Takes the model, in evaluation mode and without gradients; returns its scores."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluations:
    """What is measured, and how often.

    Attributes:
        steps: Steps from one evaluation to the next; the last step is always evaluated.
        base: Evaluate before the first step too.
        patience: The run ends after so many evaluations without a better score; None: it goes on.
    """

    measures: Sequence[Measure]
    steps: int
    base: bool = False
    patience: int | None = None

    def of(self, model: Any, *, until: Callable[[], bool] = lambda: False) -> list[Measurement]:
        """Measure a model.

        Raises:
            CutShort: `until` became true before the end.
        """
        with leaving_no_trace(model), _asked_until(until, model):
            return [found for measure in self.measures for found in measure(model)]


class CutShort(Exception):
    """An evaluation was ended before it was over."""


@contextmanager
def _asked_until(until: Callable[[], bool], model: Any) -> Iterator[None]:
    """End the block at the next pass of a model once it is told to: an answer takes many passes."""

    def check(*_: Any) -> None:
        if until():
            raise CutShort

    hook = base_model(model).register_forward_pre_hook(check)
    try:
        yield
    finally:
        hook.remove()


@contextmanager
def leaving_no_trace(model: Any) -> Iterator[None]:
    """Put a model in evaluation mode, without gradients; its mode and random states are afterwards as before."""
    import torch

    was_training = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        with random_state_kept(), torch.no_grad():
            yield
    finally:
        for module, training in was_training:
            module.training = training


@contextmanager
def random_state_kept() -> Iterator[None]:
    """Give every generator of random numbers its state back."""
    import numpy as np
    import torch

    python, of_numpy, cpu = random.getstate(), np.random.get_state(), torch.get_rng_state()
    devices = torch.cuda.get_rng_state_all() if torch.cuda.is_available() else None
    try:
        yield
    finally:
        random.setstate(python)
        np.random.set_state(of_numpy)
        torch.set_rng_state(cpu)
        if devices is not None:
            torch.cuda.set_rng_state_all(devices)
