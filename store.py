"""Maintenance of the store: the functions behind `triptych store`.

    triptych.store.status()
    triptych.store.remove("librispeech", where="speaker = '123'")

Every function takes `store=PATH`; default: `TRIPTYCH_STORE`, else `./store`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from .errors import UsageError, did_you_mean
from .options import from_python
from .shards.store.store import Store

if TYPE_CHECKING:
    from .shards.care.care import Garbage, StoreStatus
    from .shards.care.removal import Removal

PathLike = str | Path

__all__ = ["compact", "gc", "init", "refresh", "remove", "status"]


@from_python
def init(store: PathLike | None = None) -> Path:
    """Create an empty store, or open an existing one; returns its absolute path."""
    created = Store.create(store)
    created.refresh()
    return created.root


@from_python
def status(*, store: PathLike | None = None) -> StoreStatus:
    """Return what is in the store, and which processes are working on it."""
    from .shards.care.care import status as store_status

    return store_status(Store.open(store))


@from_python
def compact(datasets: str | Sequence[str] = (), *, store: PathLike | None = None) -> dict[str, int]:
    """Merge small table files, so that queries read fewer; returns the number merged per dataset (default: all)."""
    from .shards.care.care import compact as compact_dataset

    opened = Store.open(store)
    known = opened.datasets()
    chosen = [datasets] if isinstance(datasets, str) else list(datasets)
    for dataset in chosen:
        if dataset not in known:
            raise UsageError(
                f"The store has no dataset {dataset!r}. Datasets: {', '.join(known) or 'none'}.",
                hint=did_you_mean(dataset, known),
            )
    return {dataset: compact_dataset(opened, dataset, force=True) for dataset in chosen or known}


@from_python
def gc(*, older_than_days: float = 7.0, dry_run: bool = False, store: PathLike | None = None) -> Garbage:
    """Remove media that no row of any version and no export references.

    Args:
        older_than_days: Keep files younger than this.
        dry_run: Only report what would be removed.
    """
    from .shards.care.care import collect_garbage

    return collect_garbage(Store.open(store), older_than_days=older_than_days, dry_run=dry_run)


@from_python
def refresh(*, root: PathLike | None = None, out: PathLike | None = None, store: PathLike | None = None) -> Path:
    """Rewrite `store.duckdb`, for the plain duckdb client; returns its path.

    Args:
        root: Path of the store on another machine; needs `out`.
        out: Where to write the file; default: `STORE/store.duckdb`.
    """
    if root is not None and out is None:
        raise UsageError("--root is for a file to use elsewhere: name it with --out FILE.")
    if root is not None and not Path(root).is_absolute():
        raise UsageError(f"--root {str(root)!r} must be an absolute path.", hint="--root /path/of/the/store")
    return Store.open(store).refresh(
        root=Path(root) if root is not None else None, out=Path(out).absolute() if out is not None else None
    )


@from_python
def remove(
    dataset: str | None = None,
    *,
    where: str | None = None,
    purge: bool = False,
    reason: str = "withdrawn",
    dry_run: bool = False,
    store: PathLike | None = None,
) -> Removal:
    """Withdraw samples; the next pull does not bring them back.

    Args:
        dataset: A dataset; with `where`, part of it.
        where: One SQL expression: `"speaker = '123'"`.
        purge: Also remove old versions of tables, media that nothing else references, and the data of exports.
        reason: Recorded in the tombstones and the receipt.
        dry_run: Only report what would be removed.
    """
    from .shards.care.removal import remove as remove_samples

    return remove_samples(Store.open(store), dataset=dataset, where=where, purge=purge, dry_run=dry_run, reason=reason)


def __dir__() -> list[str]:
    return sorted(__all__)
