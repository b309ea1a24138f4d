"""`triptych.train_dpo`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

from ...options import described_by
from ..runs.options import TrainOptions
from ..runs.records.run_line import Lines

if TYPE_CHECKING:
    from ...options.arguments import TrainDpoArguments
    from ..runs.preflight.report import Preflight
    from ..runs.result import RunResult

PathLike = str | Path


@described_by(TrainOptions)
def train_dpo(
    export: str | None = None,
    *,
    store: PathLike | None = None,
    progress: Callable[[int, int], None] | None = None,
    notes: Callable[[str], None] | None = None,
    lines: Lines | None = None,
    **options: Unpack[TrainDpoArguments],
) -> RunResult | Preflight:
    """Train a model on the pairs of an export: of two answers, the chosen one is made more likely (DPO).

        triptych.train_dpo("preference@v1", model="models/after-sft", output_dir="runs/preferred",
                           values={"lora": {}, "training.lr": 5e-6, "dpo.beta": 0.1})

    Args:
        export: The export that is trained on: `NAME` or `NAME@vN`; default: `data.train` of the configuration.
        store: The store; default: `TRIPTYCH_STORE`, else `./store`.
        progress: Called with the number of steps that are over, and their number.
        notes: Called with what is worth a note about the configuration.
        lines: Called with what the log says of the run's start, steps and scores; `str(line)` is its text.
        {options}

    Returns:
        What came of the run; of a dry run, what would be trained.

    Raises:
        UsageError: The configuration, the export or the model is not usable; or a run stands in the folder.
        ProblemsFound: Rows are no pairs or cannot be trained on; or the loss is no longer a number.
        DamagedError: A file of the model, the export or the run is damaged; sound does not reach the model.
    """
    return train_dpo_with(export, store, TrainOptions.of(**options), progress, notes, lines)


def train_dpo_with(
    export: str | None,
    store: PathLike | None,
    options: TrainOptions,
    progress: Callable[[int, int], None] | None = None,
    notes: Callable[[str], None] | None = None,
    lines: Lines | None = None,
) -> RunResult | Preflight:
    """`train_dpo` with options that are already parsed."""
    from ..runs.request import train_by_request
    from .config import DpoConfig
    from .train import dpo

    return train_by_request(DpoConfig, dpo, export, store, options, progress=progress, notes=notes, lines=lines)
