"""The steps of a run: what one update of the weights is made of, from any step on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from ...data.bad_rows import LeftOut
    from ...data.batch_loader import Batch, BatchLoader
    from ...data.batch_plan import BatchPlan


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """The batches of one rank for one update of the weights.

    Attributes:
        number: Its number in the run, from 1 on.
        epoch: Epochs that are over after it, with their fraction.
        batches: In order; the gradients of all of them are added up.
    """

    number: int
    epoch: float
    batches: tuple[Batch, ...]

    @property
    def ids(self) -> tuple[str, ...]:
        return tuple(id for batch in self.batches for id in batch.ids)

    @property
    def left_out(self) -> tuple[LeftOut, ...]:
        return tuple(row for batch in self.batches for row in batch.left_out)


class Steps(Protocol):
    """The steps of a run, the same whenever they are asked for."""

    def __len__(self) -> int:
        """Steps of the whole run."""

    def after(self, step: int) -> Iterator[Step]:
        """The steps after this one; 0: all. Nothing of the steps before is decoded."""


class Hooks:
    """What is called within each step; these do nothing."""

    def before_step(self, number: int) -> None:
        """Before the step is computed."""

    def after_forward(self, inputs: Mapping[str, Any]) -> None:
        """After the forward pass of a batch; raises where its sound was not heard."""

    def after_backward(self, model: Any, number: int) -> None:
        """After all gradients of the step are there, before they are clipped."""


@dataclass(frozen=True, slots=True)
class FromStep:
    """What `transformers.Trainer` iterates over: the whole run's length, and the steps that are left."""

    steps: Steps
    start: int

    def __len__(self) -> int:
        return len(self.steps)

    def __iter__(self) -> Iterator[Step]:
        return self.steps.after(self.start)


@dataclass(frozen=True, slots=True, eq=False)
class PlannedSteps:
    """The steps of one rank as a plan of batches has them, decoded ahead by the loader.

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
