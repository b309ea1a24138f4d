"""`triptych.evaluate`: predictions beside what is right, as a function."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

from ...options import described_by
from ...shards.store.session import using
from ...shards.store.store import Store
from .options import EvaluateOptions

if TYPE_CHECKING:
    from ...options.arguments import EvaluateArguments
    from .scores import Scores

PathLike = str | Path
PREDICTIONS = "predictions.jsonl"
"""The answers of `--model`, in the folder of the evaluation."""


@described_by(EvaluateOptions)
def evaluate(
    export: str | None = None,
    *,
    store: PathLike | None = None,
    progress: Callable[[int, int], None] | None = None,
    **options: Unpack[EvaluateArguments],
) -> Scores:
    """Score predictions against an export, or against a file.

        triptych.evaluate("evaluation-list", pred="predictions.jsonl")
        triptych.evaluate(pred="hyp.txt", gold="ref.txt", metrics="wer", language="en")

    Args:
        export: The export that was asked: `NAME` or `NAME@vN`; with `gold`, none.
        store: The store; default: `TRIPTYCH_STORE`, else `./store`.
        progress: Called with the number of rows that the judge was asked about, and their number.
        {options}

    Raises:
        UsageError: Predictions and rows cannot be matched, or a row has no answer, language or task to score it by.
    """
    return evaluate_with(export, store, EvaluateOptions.of(**options), progress)


def evaluate_with(
    export: str | None,
    store: PathLike | None,
    options: EvaluateOptions,
    progress: Callable[[int, int], None] | None = None,
) -> Scores:
    """`evaluate` with options that are already parsed."""
    from .evaluate import check_out, evaluate_export, evaluate_gold

    options.check_asked(export)
    check_out(options)
    if options.model is not None:
        options = _asked_now(export, store, options)
    if export is None:
        return evaluate_gold(options, progress)
    with using(Store.open(store), "evaluate") as opened:
        return evaluate_export(export, opened, options, progress)


def _asked_now(export: str | None, store: PathLike | None, options: EvaluateOptions) -> EvaluateOptions:
    """Ask the model, or go on with a run that was stopped; returns the options with the file of its answers."""
    from ..inference.calls import infer_with
    from ..inference.options import InferOptions

    assert options.out is not None
    asked = InferOptions.of(model=options.model, server=options.server, out=options.out / PREDICTIONS)
    infer_with(export if export is not None else options.gold, store, asked)
    return options.changed(pred=options.out / PREDICTIONS, model=None, server=None)
