"""`MergeOptions`: the options of `train export`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from ...errors import UsageError
from ...options import Option, Options
from .layouts import TRANSFORMERS, VLLM

BEST, FINAL = "best", "final"


@dataclass(frozen=True, kw_only=True)
class MergeOptions(Options):
    """Options of what a run hands on."""

    out: Annotated[Path, Option("The folder to make; it does not exist, or is empty.", "Output", metavar="DIR")]
    layout: Annotated[
        str,
        Option("For whom: what transformers loads, or vLLM (of an Omni the whole model, with the part that speaks).",
               "Output", flags=("--for",), choices=(TRANSFORMERS, VLLM)),
    ] = TRANSFORMERS  # fmt: skip
    merge: Annotated[
        bool, Option("Put what was learned into the weights of the base; nothing else is written yet.", "Output")
    ] = True
    checkpoint: Annotated[
        str, Option("best, final (the last one), or the name of one: step-000500.", "The run", metavar="NAME")
    ] = BEST
    base: Annotated[Path | None, Option("Where the base model is now, if it was moved.", "The run", metavar="DIR")] = (
        None
    )
    encoder: Annotated[
        Path | None, Option("Of a run of phones: where its speech encoder is now, if it was moved.", "The run",
                            metavar="DIR")
    ] = None  # fmt: skip

    def check(self) -> None:
        if not self.merge:
            raise UsageError(
                "--no-merge: adapters are not written by themselves.",
                hint="a checkpoint's weights.safetensors has them; leave --no-merge out for a model folder",
            )
