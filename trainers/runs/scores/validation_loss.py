"""The loss on an export that is not trained on: a mean over all its items, as the loss of a step is."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ...models.families import base_model
from ..loop.interval import add_measures, means_of
from .evaluations import Measurement

if TYPE_CHECKING:
    from ...data.batch_loader import BatchLoader
    from ..loop.objective import Objective

LOSS = "validation_loss"


@dataclass(frozen=True, slots=True, eq=False)
class ValidationLoss:
    """Measures the loss of a model on the batches of a loader, the same ones each time.

    Attributes:
        selects: Whether the best checkpoint is chosen by it.
        gathered: What all ranks have found, of what this one has.
    """

    loader: BatchLoader
    objective: Objective
    selects: bool
    gathered: Callable[[Any], list[Any]]
    computing: Callable[[], AbstractContextManager[Any]] = nullcontext

    def __call__(self, model: Any) -> list[Measurement]:
        device = next(base_model(model).parameters()).device
        sums: dict[str, float] = {}
        measures: dict[str, tuple[float, int]] = {}
        items = left_out = 0
        for batch in self.loader.epoch(0):
            left_out += len(batch.left_out)
            if batch.inputs is None:
                continue
            moved = {name: value.to(device) if hasattr(value, "to") else value for name, value in batch.inputs.items()}
            items += self.objective.items(moved)
            with self.computing():
                losses = self.objective.losses(model, moved)
            for name, value in losses.items():
                sums[name] = sums.get(name, 0.0) + float(value)
            seen = self.objective.measures.items()
            add_measures(measures, {name: (float(value), count) for name, (value, count) in seen})
        parts = self.gathered((sums, items, left_out, measures))
        total = max(1, sum(part[1] for part in parts))
        names = dict.fromkeys(name for part in parts for name in part[0])
        means = {name: sum(part[0].get(name, 0.0) for part in parts) / total for name in names}
        counts = {"items": total, "left_out": sum(part[2] for part in parts), **means}
        whole: dict[str, tuple[float, int]] = {}
        for part in parts:
            add_measures(whole, part[3])
        return [
            Measurement(LOSS, sum(means.values()), selects=self.selects, counts=counts),
            *(Measurement(f"validation_{name}", value, more_is_better=True) for name, value in means_of(whole).items()),
        ]
