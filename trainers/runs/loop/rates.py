"""Learning rates from step to step: a warm-up, then the schedule, for each group of parameters."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ....errors import UsageError

if TYPE_CHECKING:
    from ..config.sections import RunConfig, Stage

CONSTANT, LINEAR, COSINE = "constant", "linear", "cosine"


@dataclass(frozen=True, slots=True)
class Schedule:
    """The share of its highest rate that a group has at a step, counted from 0.

    It rises from 0 to 1 in the steps of the warm-up. Then it stays (`constant`), falls to 0 along a line (`linear`), or
    along half a cosine (`cosine`; Loshchilov and Hutter, 2017, without restarts).
    """

    kind: str
    warmup: int
    steps: int

    def __call__(self, step: int) -> float:
        if step < self.warmup:
            return step / self.warmup
        done = min(1.0, (step - self.warmup) / max(1, self.steps - self.warmup))
        if self.kind == CONSTANT:
            return 1.0
        return 1 - done if self.kind == LINEAR else 0.5 * (1 + math.cos(math.pi * done))

    def of_groups(self, optimizer: Any, share: Callable[[int, int], float]) -> Any:
        """The schedule of an optimizer, whose group `n` has `share(n, step)` of its rate beside this schedule's."""
        from torch.optim.lr_scheduler import LambdaLR

        def rate(group: int) -> Callable[[int], float]:
            return lambda step: self(step) * share(group, step)

        return LambdaLR(optimizer, [rate(number) for number in range(len(optimizer.param_groups))])


def schedule_of(config: RunConfig, steps: int) -> Schedule:
    """The schedule of a run of so many steps."""
    training = config.training
    warmup = training.warmup_steps
    if warmup is None:
        warmup = min(math.ceil(steps * training.warmup_ratio), steps - 1)  # a run of one step has a rate above 0
    return Schedule(training.schedule, warmup, steps)


def stage_ends(stages: Sequence[Stage], *, epoch_steps: int, steps: int) -> tuple[int, ...]:
    """The step at which each stage but the last ends.

    Raises:
        UsageError: The stages are longer or shorter than the run.
    """
    ends: list[int] = []
    for number, stage in enumerate(stages):
        length = stage.steps if stage.steps is not None else stage.epochs and stage.epochs * epoch_steps
        begun = ends[-1] if ends else 0
        end = steps if length is None else begun + length
        is_last = number == len(stages) - 1
        if end > steps or end <= begun or (is_last and end != steps):
            raise UsageError(
                f"stages: stage {number + 1} ends at step {end:,}, and the run at step {steps:,}.",
                hint="training.epochs or training.max_steps says how long the run is; the last stage may leave it out",
            )
        ends.append(end)
    return tuple(ends[:-1])
