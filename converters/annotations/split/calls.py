"""`triptych.split` and `triptych.check_splits`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

from ....options import described_by, from_python
from ....shards.store.store import Store
from ....shards.store.use import using
from .options import SplitOptions

if TYPE_CHECKING:
    from ....options.arguments import SplitArguments
    from .check import SplitCheck
    from .split import SplitResult

PathLike = str | Path


@described_by(SplitOptions)
def split(
    datasets: str | Sequence[str] = (), *, store: PathLike | None = None, **options: Unpack[SplitArguments]
) -> SplitResult:
    """Assign splits in which no speaker, session or video is in two of them; what the corpus said is kept.

    Args:
        datasets: A dataset, or several; default: all.
        store: The store; default: `TRIPTYCH_STORE`, else `./store`.
        {options}

    Raises:
        UsageError: An invalid option; samples without a value of the key, and `ungrouped` is not given.
        ProblemsFound: A split would be empty, or a group would be in two; nothing was written.
    """
    return split_with([datasets] if isinstance(datasets, str) else datasets, store, SplitOptions.of(**options))


def split_with(datasets: Sequence[str], store: PathLike | None, options: SplitOptions) -> SplitResult:
    """`split` with options that are already parsed."""
    from ....shards.care.recovery import writing
    from .split import split as split_store

    with writing(Store.open(store), "split") as opened:
        return split_store(opened, datasets, options)


@from_python
def check_splits(datasets: str | Sequence[str] = (), *, store: PathLike | None = None) -> list[SplitCheck]:
    """Check whether the assigned splits of datasets (default: all) still keep each group in one split."""
    from .check import check_store

    with using(Store.open(store), "check splits") as opened:
        return check_store(opened, [datasets] if isinstance(datasets, str) else datasets)
