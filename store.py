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
from .shards.store.use import using

if TYPE_CHECKING:
    from .shards.care.care import Garbage, StoreStatus
    from .shards.care.removal import Removal
    from .shards.care.restore import Restored
    from .shards.care.verify import Verified

PathLike = str | Path

__all__ = ["compact", "gc", "init", "refresh", "remove", "restore", "resume", "status", "verify"]


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

    with using(Store.open(store), "show the status") as opened:
        return store_status(opened)


@from_python
def compact(datasets: str | Sequence[str] = (), *, store: PathLike | None = None) -> dict[str, int]:
    """Merge small table files, so that queries read fewer; returns the number merged per dataset (default: all)."""
    from .shards.care.care import compact as compact_dataset
    from .shards.care.recovery import writing

    with writing(Store.open(store), "compact") as opened:
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
    from .shards.care.recovery import writing

    opened = Store.open(store)
    with using(opened, "look for garbage") if dry_run else writing(opened, "collect garbage", frees=True):
        return collect_garbage(opened, older_than_days=older_than_days, dry_run=dry_run)


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
    with using(Store.open(store), "refresh store.duckdb") as opened:
        return opened.refresh(
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
    forget: bool = False,
    block_speakers: bool = False,
    store: PathLike | None = None,
) -> Removal:
    """Withdraw samples; neither the next pull nor the same media under another name brings them back.

    Args:
        dataset: A dataset; with `where`, part of it.
        where: One SQL expression: `"speaker = '123'"`.
        purge: Leave nothing of them in the store; alone: purge what was removed earlier.
        reason: Recorded in the tombstones and the receipt.
        dry_run: Only report what would be removed.
        forget: Leave no tombstones, and take away those that there are: the data can be imported again.
        block_speakers: Also refuse later samples of the same speakers in the same dataset.
    """
    from .shards.care.removal import remove as remove_samples
    from .shards.store.damage import damage_errors

    opened = Store.open(store)
    with damage_errors(opened):
        return remove_samples(
            opened, dataset=dataset, where=where, purge=purge, dry_run=dry_run, reason=reason,
            forget=forget, block_speakers=block_speakers,
        )  # fmt: skip


@from_python
def resume(*, store: PathLike | None = None) -> list[Removal]:
    """Finish the removals and purges that were killed; returns what each of them removed."""
    from .shards.care.removal import resume as resume_removals
    from .shards.store.damage import damage_errors

    opened = Store.open(store)
    with damage_errors(opened):
        return resume_removals(opened)


@from_python
def restore(dataset: str | None = None, *, where: str | None = None, store: PathLike | None = None) -> Restored:
    """Bring back removed samples that were not purged, with their annotations and verdicts.

    Args:
        dataset: A dataset from which samples were removed; with `where`, part of them.
        where: One SQL expression over the removed rows: `"speaker = '123'"`.

    Raises:
        UsageError: Nothing was removed there, or it was purged.
    """
    from .shards.care.recovery import writing
    from .shards.care.restore import restore as restore_samples

    with writing(Store.open(store), "restore samples") as opened:
        return restore_samples(opened, dataset=dataset, where=where)


@from_python
def verify(
    *,
    quick: bool = False,
    repair: bool = False,
    from_path: PathLike | None = None,
    mirror: PathLike | None = None,
    cards: PathLike | Sequence[PathLike] = (),
    store: PathLike | None = None,
) -> Verified:
    """Check that tables, media and exports are what was stored; `problems` of the result lists what is not.

    Args:
        quick: Look at sizes instead of hashing all media and reading all rows.
        repair: Store missing and damaged media again, from its recorded source.
        from_path: With `repair`: a folder with copies of the files under any names, or what `pull` takes.
        mirror: With `repair`: folder or URL that stands in for the original hosts.
        cards: With `repair`: a folder of your own cards.
    """
    from .shards.care.recovery import writing
    from .shards.care.verify import verify as verify_store

    if not repair and (from_path is not None or mirror is not None):
        raise UsageError("--from and --mirror say where to repair from: add --repair.")
    opened = Store.open(store)
    with writing(opened, "repair media") if repair else using(opened, "verify"):
        found = verify_store(opened, quick=quick)
        if repair and found.media:
            from .catalog.refetch import repair_media

            folders = [cards] if isinstance(cards, str | Path) else [*cards]
            repaired, failures = repair_media(
                opened, found.media, from_path=Path(from_path) if from_path is not None else None,
                mirror=str(mirror) if mirror is not None else None, cards=[Path(each) for each in folders],
            )  # fmt: skip
            found = verify_store(opened, quick=quick)
            found.repaired, found.failures = repaired, failures
        return found


def __dir__() -> list[str]:
    return sorted(__all__)
