"""`triptych.evaluate`: predictions beside what is right, as a function."""

from __future__ import annotations

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


@described_by(EvaluateOptions)
def evaluate(
    export: str | None = None, *, store: PathLike | None = None, **options: Unpack[EvaluateArguments]
) -> Scores:
    """Score predictions against an export, or against a file.

        triptych.evaluate("evaluation", pred="predictions.jsonl")
        triptych.evaluate(pred="hyp.txt", gold="ref.txt", metrics="wer", language="en")

    Args:
        export: The export that was asked: `NAME` or `NAME@vN`; with `gold`, none.
        store: The store; default: `TRIPTYCH_STORE`, else `./store`.
        {options}

    Raises:
        UsageError: Predictions and rows cannot be matched, or a row has no answer, language or task to score it by.
    """
    return evaluate_with(export, store, EvaluateOptions.of(**options))


def evaluate_with(export: str | None, store: PathLike | None, options: EvaluateOptions) -> Scores:
    """`evaluate` with options that are already parsed."""
    from .evaluate import evaluate_export, evaluate_gold

    options.check_asked(export)
    if export is None:
        return evaluate_gold(options)
    with using(Store.open(store), "evaluate") as opened:
        return evaluate_export(export, opened, options)
