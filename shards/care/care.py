"""Store maintenance: status, compaction, garbage collection.

Nothing here deletes data that is still referenced: old table versions stay until `store remove --purge`, and a media
file is deleted only if it is older than seven days and no table file on disk (of any version) and no export names it.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from ..events import Run
from ..exports import versions as exports
from ..exports.scratch import leftovers
from ..query import connect
from ..store.commits import FenceConflict
from ..store.lock import is_held, read_holder
from ..store.store import Store
from ..store.tables import ALL_DATASETS
from ..store_format import TABLE_NAMES
from . import journal
from .media_in_use import sweep_cuts, unnamed_media

log = logging.getLogger("triptych")

SMALL_FILE_BYTES = 64 * 1024 * 1024
SMALL_FILES = 8
"""A partition with more small files than this is compacted after a pull."""

KEEP_DAYS = 7.0


@dataclass(slots=True)
class DatasetStatus:
    """Counts for one dataset; `hours` is the total duration that its media files declare, `unvalidated` the number of
    samples that were never validated."""

    dataset: str
    samples: int
    hours: float
    verdicts: dict[str, int]
    unvalidated: int
    splits: dict[str, int]


@dataclass(slots=True)
class StoreStatus:
    """A summary of a store; sizes are in bytes.

    Attributes:
        pending: Removals that were killed; the next command that writes finishes them.
        leftovers: Temporary files of exports and views whose process is gone.
    """

    root: Path
    datasets: list[DatasetStatus]
    media_files: int
    media_bytes: int
    table_files: dict[str, int]
    partial_bytes: int
    exports: list[str]
    held_by: list[str]
    pending: list[str] = field(default_factory=list)
    leftovers: list[Path] = field(default_factory=list)


def status(store: Store) -> StoreStatus:
    """Summarise what is in the store and which processes are working in it."""
    with connect(store) as connection:
        rows = connection.execute("""
            SELECT s.dataset, count(*), sum(coalesce(audio.duration, video.duration, 0)) / 3600,
                   count(*) FILTER (v.id IS NULL)
            FROM samples_as_pulled s LEFT JOIN verdicts v USING (dataset, id) GROUP BY 1 ORDER BY 1""").fetchall()
        verdicts = connection.execute("SELECT dataset, verdict, count(*) FROM verdicts GROUP BY ALL").fetchall()
        splits = connection.execute(
            "SELECT dataset, coalesce(split, 'all'), count(*) FROM samples_as_pulled GROUP BY ALL ORDER BY ALL"
        ).fetchall()
    media = [path.stat() for path in store.media.files()]
    return StoreStatus(
        store.root,
        [
            DatasetStatus(
                str(name),
                int(count),
                float(hours),
                {str(verdict): int(n) for dataset, verdict, n in verdicts if dataset == name},
                int(unvalidated),
                {str(split): int(n) for dataset, split, n in splits if dataset == name},
            )
            for name, count, hours, unvalidated in rows
        ],
        len(media),
        sum(entry.st_size for entry in media),
        {name: len(store.live_files(name)) for name in TABLE_NAMES},
        sum(path.stat().st_size for path in (store.root / "partial").rglob("*") if path.is_file()),
        [version.reference for version in exports.all_versions(store)],
        list(_holders(store)),
        [intent.describe() for intent in journal.pending(store)],
        leftovers(store),
    )


def _holders(store: Store) -> Iterator[str]:
    for path in [store.root / ".lock", *sorted((store.root / ".locks").glob("*.lock"))]:
        if is_held(path):
            yield f"{path.relative_to(store.root)}: {read_holder(path)}"


def compact(store: Store, dataset: str, *, force: bool = False) -> int:
    """Merge the small files of a dataset's partitions; return how many files were removed.

    Without `force`, only tables whose partition has more than eight files under 64 MB are compacted.
    """
    removed = 0
    for name in TABLE_NAMES:
        is_fine = _count_files(store, name, dataset) <= SMALL_FILES or _small_files(store, name, dataset) <= SMALL_FILES
        if force or not is_fine:
            removed += _compact_table(store, name, dataset)
    if removed:
        store.refresh()
    return removed


def _compact_table(store: Store, name: str, dataset: str) -> int:
    """Return how many files were removed; 0 if another writer committed first: the next pull tries again."""
    with store.dataset_lock(dataset, "compact"):
        try:
            removed = store.compact(name, dataset)
            log.info("compact %s: %d files of %s merged", dataset, removed, name)
            return removed
        except FenceConflict:
            return 0


def _count_files(store: Store, table: str, dataset: str) -> int:
    """Count the files in a dataset's partition, old versions included: an upper bound that needs no open table."""
    return sum(1 for _ in (store.root / table / f"dataset={dataset}").glob("*.parquet"))


def _small_files(store: Store, table: str, dataset: str) -> int:
    files = [file for file in store.live_files(table) if file.parent.name == f"dataset={dataset}"]
    return sum(file.stat().st_size < SMALL_FILE_BYTES for file in files)


@dataclass(slots=True)
class Garbage:
    """Media files that are no longer referenced."""

    files: list[Path] = field(default_factory=list)
    bytes: int = 0
    kept_young: int = 0


def collect_garbage(store: Store, *, older_than_days: float = KEEP_DAYS, dry_run: bool = False) -> Garbage:
    """Remove media that is old enough and that no table file (of any version) and no export names.

    Raises:
        DamagedError: A table or an export cannot be read whole, so nobody knows what it names: nothing is removed.
    """
    before = time.time() - older_than_days * 86_400
    garbage = Garbage()
    for path in unnamed_media(store):
        entry = path.stat()
        if entry.st_mtime > before:
            garbage.kept_young += 1
            continue
        garbage.files.append(path)
        garbage.bytes += entry.st_size
    log.info("gc: %d files to remove, %d too young", len(garbage.files), garbage.kept_young)
    if not dry_run:
        for path in garbage.files:
            path.unlink(missing_ok=True)
        store.media.sweep_scratch()
        sweep_cuts(store)
        run = Run("gc", ALL_DATASETS, "store gc", {"older_than_days": older_than_days})
        run.details = {"files": len(garbage.files), "bytes": garbage.bytes}
        run.finish(store)
    return garbage
