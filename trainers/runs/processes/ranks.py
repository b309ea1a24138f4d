"""Processes that train together: what each has found, told to all."""

from __future__ import annotations

import os
from typing import Any

from ....errors import UsageError


def on_cpu() -> bool:
    """Whether there is no device that computes but the processor: several processes then speak over gloo."""
    import torch

    return not torch.accelerator.is_available()


def ranks_here() -> Any:
    """This process among those that train together, as `torchrun` and `accelerate launch` say; else alone.

    Raises:
        UsageError: DeepSpeed was asked for.
    """
    if is_asked("DEEPSPEED"):
        raise UsageError(
            "DeepSpeed is not supported: two processes had other gradients than one (ZeRO-2), and mixed up what they"
            " gather where one hears and the other reads (ZeRO-3).",
            hint="FSDP: triptych train config accelerate.yaml",
        )
    from accelerate import PartialState

    return PartialState(cpu=on_cpu())


def is_asked(kind: str) -> bool:
    """Whether `accelerate launch` told this process to part models in a way: `FSDP`, `DEEPSPEED`."""
    return os.environ.get(f"ACCELERATE_USE_{kind}", "").lower() == "true"


def gathered(own: Any) -> list[Any]:
    """What each rank has, in their order; of one process its own alone."""
    if ranks_here().num_processes == 1:
        return [own]
    from accelerate.utils import gather_object

    return list(gather_object([own]))
