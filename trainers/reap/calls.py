"""`triptych.prune`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

from ...options import described_by
from .options import PruneOptions

if TYPE_CHECKING:
    from ...options.arguments import PruneArguments
    from .prune import PruneResult

PathLike = str | Path


@described_by(PruneOptions)
def prune(
    *,
    store: PathLike | None = None,
    progress: Callable[[int, int], None] | None = None,
    tell: Callable[[str], None] | None = None,
    **options: Unpack[PruneArguments],
) -> PruneResult:
    """Prune the experts of a model that do least on calibration rows (REAP), and report what is known of them.

        triptych.prune(model="Qwen/Qwen3-Omni-30B-A3B-Instruct", audio="calibration", video="calibration",
                       mixed="calibration", output="pruned")

    Args:
        store: The store of the exports; default: `TRIPTYCH_STORE`, else `./store`.
        progress: Called with the number of rows measured and their number.
        tell: Called with warnings, and with what is done next.
        {options}

    Raises:
        UsageError: The model has no experts that can be scored, or too few would be left.
        ProblemsFound: A row cannot be read.
        DamagedError: The pruned model does not say what its base says with the pruned experts masked.
    """
    return prune_with(store, PruneOptions.of(**options), progress, tell)


def prune_with(
    store: PathLike | None,
    options: PruneOptions,
    progress: Callable[[int, int], None] | None = None,
    tell: Callable[[str], None] | None = None,
) -> PruneResult:
    """`prune` with options that are already parsed."""
    from .prune import prune as prune_model

    return prune_model(options, store, progress=progress, tell=tell or (lambda _: None))
