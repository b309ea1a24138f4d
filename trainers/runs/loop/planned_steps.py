"""The steps of a run as its plan of batches has them, decoded ahead by the loader."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from .steps import Step

if TYPE_CHECKING:
    from ...data.batch_loader import BatchLoader
    from ...data.batch_plan import BatchPlan


@dataclass(frozen=True, slots=True, eq=False)
class PlannedSteps:
    """The steps of one rank.

    Attributes:
        epochs: How often every row is trained on.
        most: No more steps than this; None: all.
    """

    plan: BatchPlan
    loader: BatchLoader
    epochs: int
    most: int | None = None

    def __len__(self) -> int:
        steps = self.epochs * self.plan.optimizer_steps
        return steps if self.most is None else min(steps, self.most)

    def after(self, step: int) -> Iterator[Step]:
        each = self.plan.optimizer_steps
        epoch, begun = divmod(step, each)
        while step < len(self):
            batches = self.loader.epoch(epoch, start=begun * self.plan.accumulation)
            for place in range(begun, each):
                if step == len(self):
                    break
                step += 1
                yield Step(step, epoch + (place + 1) / each, tuple(islice(batches, self.plan.accumulation)))
            epoch, begun = epoch + 1, 0
