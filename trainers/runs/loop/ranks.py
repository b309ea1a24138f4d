"""Processes that train together: what each has found, told to all."""

from __future__ import annotations

from typing import Any


def on_cpu() -> bool:
    """Whether there is no device that computes but the processor: several processes then speak over gloo."""
    import torch

    return not torch.accelerator.is_available()


def ranks_here() -> Any:
    """This process among those that train together, as `torchrun` and `accelerate launch` say; else alone."""
    from accelerate import PartialState

    return PartialState(cpu=on_cpu())


def gathered(own: Any) -> list[Any]:
    """What each rank has, in their order; of one process its own alone."""
    if ranks_here().num_processes == 1:
        return [own]
    from accelerate.utils import gather_object

    return list(gather_object([own]))
