"""A few steps as the run makes them: forward, backward, clipping, optimizer. Afterwards everything is as before.

What is trained is copied to the memory of the processor, and copied back: weights, gradients, modes and random states
are as they were, bit by bit. The first step is of the costliest batch and is not timed: it tells the memory.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Any, Protocol

from ..scores.evaluations import random_state_kept

if TYPE_CHECKING:
    from ...models.stages import TrainingPlan
    from ..loop.objective import Objective
    from ..loop.steps import Step, Steps

STEPS = 3
"""Steps at most, the first included."""

ENOUGH_S = 60.0
"""No further step is begun after so many seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepTime:
    """How long a step takes here.

    Attributes:
        seconds: The median of the steps that were timed.
        steps: How many were timed.
        is_first: Whether the first step was the only one: it takes longer than those after it.
        tokens_per_second: Tokens of rows, padding left out.
        run_seconds: Of all steps of the run, evaluations and checkpoints left out.
    """

    seconds: float
    steps: int
    is_first: bool
    tokens_per_second: float
    run_seconds: float


@dataclass(frozen=True, slots=True)
class Tried:
    """What came of the steps.

    Attributes:
        loss: Of the first step, a mean over its items.
        activations: Bytes that were kept for the backward pass of the first batch; None: not measured.
        peak: Bytes of the device at most; None: not measured.
    """

    time: StepTime
    loss: float
    activations: int | None
    peak: int | None


@contextmanager
def model_kept(model: Any) -> Iterator[None]:
    """Put weights, buffers, gradients, modes and random states back as they are."""
    import torch

    held = [(value, value.detach().to("cpu", copy=True)) for value in model.parameters() if value.requires_grad]
    held += [(value, value.detach().to("cpu", copy=True)) for value in model.buffers()]
    gradients = [(value, value.grad) for value in model.parameters()]
    modes = [(module, module.training) for module in model.modules()]
    for value, _ in gradients:
        value.grad = None
    try:
        with random_state_kept():
            yield
    finally:
        with torch.no_grad():
            for value, copy in held:
                value.copy_(copy)
        for value, gradient in gradients:
            value.grad = gradient
        for module, mode in modes:
            module.training = mode


class Steppable(Protocol):
    """A run that is prepared: its model, what of it is trained, and its steps."""

    @property
    def model(self) -> Any: ...
    @property
    def trained(self) -> TrainingPlan: ...
    @property
    def steps(self) -> Steps: ...


def try_steps(
    prepared: Steppable,
    objective: Objective,
    *,
    weight_decay: float,
    betas: tuple[float, float],
    max_grad_norm: float,
    computing: Callable[[], AbstractContextManager[Any]],
    after_forward: Callable[[Any], None],
) -> Tried:
    """Make the first steps of a run.

    Args:
        after_forward: Called with the inputs of each batch after its forward pass; raises where sound was not heard.
    """
    import torch

    from .memory import activations_kept, peak_of, reset_peak

    model, plan = prepared.model, prepared.trained
    device = next(model.parameters()).device
    times: list[float] = []
    tokens: list[int] = []
    first: tuple[float, int | None] | None = None
    begun = time.monotonic()
    with model_kept(model):
        reset_peak(device)
        model.train()
        optimizer = torch.optim.AdamW(plan.optimizer_groups(model, weight_decay=weight_decay), betas=betas)
        for step in itertools.islice(prepared.steps.after(0), STEPS):
            if times and time.monotonic() - begun > ENOUGH_S:
                break
            _wait(device)
            start = time.perf_counter()
            with activations_kept(model, is_on=first is None) as kept:
                loss = _step(model, step, objective, device, computing, after_forward, kept)
            torch.nn.utils.clip_grad_norm_(
                [each for each in model.parameters() if each.grad is not None], max_grad_norm
            )
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
            _wait(device)
            times.append(time.perf_counter() - start)
            tokens.append(_tokens(step))
            first = first or (loss, kept.most)
        peak = peak_of(device)
        del optimizer
    if first is None:
        raise RuntimeError("a run without steps")
    timed = slice(1, None) if len(times) > 1 else slice(None)
    seconds = median(times[timed])
    spent = StepTime(
        seconds=seconds, steps=len(times[timed]), is_first=len(times) == 1,
        tokens_per_second=sum(tokens[timed]) / max(1e-9, sum(times[timed])),
        run_seconds=seconds * len(prepared.steps),
    )  # fmt: skip
    return Tried(spent, *first, peak)


def _step(
    model: Any, step: Step, objective: Objective, device: Any, computing: Callable[[], Any],
    after_forward: Callable[[Any], None], kept: Any,
) -> float:  # fmt: skip
    """The gradients of all batches of a step; returns its loss."""
    import torch

    batches = [batch.inputs for batch in step.batches if batch.inputs is not None]
    total = max(1, sum(objective.items(inputs) for inputs in batches))
    loss = 0.0
    for inputs in batches:
        moved = {name: value.to(device) if hasattr(value, "to") else value for name, value in inputs.items()}
        with computing():
            losses = objective.losses(model, moved)
        after_forward(inputs)
        whole = torch.stack(tuple(losses.values())).sum() / total
        kept.stop()
        if whole.requires_grad:
            whole.backward()
        loss += float(whole.detach())
    return loss


def _tokens(step: Step) -> int:
    masks = [batch.inputs["attention_mask"] for batch in step.batches if batch.inputs is not None]
    return sum(int(mask.sum()) for mask in masks)


def _wait(device: Any) -> None:
    import torch

    if device.type == "cuda":
        torch.cuda.synchronize(device)
