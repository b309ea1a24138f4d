"""Rows, and losses of rows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from triptych.trainers.data.training_row import TrainingRow
from triptych.trainers.data.turns import ASSISTANT, USER, Part, Turn


@pytest.fixture(scope="session")
def row_of() -> Callable[..., TrainingRow]:
    """A row of turns, each given as its parts: the user's and the assistant's take turns."""

    def make(*turns: tuple[Part, ...], id: str = "1", rejected: str | None = None) -> TrainingRow:
        found = tuple(Turn((USER, ASSISTANT)[place % 2], parts) for place, parts in enumerate(turns))
        other = None if rejected is None else Turn(ASSISTANT, (rejected,))
        return TrainingRow(id=id, where="x", turns=found, rejected=other)

    return make


@pytest.fixture(scope="session")
def losses() -> Callable[[Any, dict[str, Any]], list[float]]:
    """The sum of the loss of each row of a batch, in a model as it is."""

    def losses_of(model: Any, batch: dict[str, Any]) -> list[float]:
        import torch
        from torch.nn.functional import cross_entropy

        labels = batch["labels"]
        with torch.inference_mode():
            logits = model(**{name: value for name, value in batch.items() if name != "labels"}).logits
        assert logits.shape[:2] == labels.shape
        each = cross_entropy(logits[:, :-1].transpose(1, 2), labels[:, 1:], ignore_index=-100, reduction="none")
        return [float(value) for value in each.sum(1)]

    return losses_of
