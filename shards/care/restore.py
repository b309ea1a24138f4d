"""Bring back withdrawn samples: the rows that old table versions still hold, and no tombstones any more.

A restored sample is as it was: its row, annotations, measurements and verdict. After a purge there is nothing to bring
back; `store remove DATASET --forget` then takes the tombstones away, so that the data can be imported or pulled again.
A restore that was killed can be run again: its account is written once, and tombstones go last.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ...errors import DamagedError, UsageError, did_you_mean
from ..events import Run
from ..query import rows_of, scan, versions_at
from ..store.commits import until_committed
from ..store.database import session
from ..store.sql import quote
from ..store.store import Store, run_details
from .journal import digest_of
from .selection import removed_rows
from .tombstones import STAGE, datasets_with_tombstones, lift, withdrawn_ids

if TYPE_CHECKING:
    import pyarrow as pa

_TABLES = ("annotations", "checks", "verdicts", "samples")
_KEYS = {"annotations": "id, key, time"}


@dataclass(slots=True)
class Restored:
    """Samples that are back, and those whose rows were purged, by dataset; media files that are gone."""

    samples: dict[str, int] = field(default_factory=dict)
    purged: dict[str, int] = field(default_factory=dict)
    missing_media: list[str] = field(default_factory=list)


def restore(store: Store, *, dataset: str | None = None, where: str | None = None) -> Restored:
    """Restore what was removed from a dataset, or the removed samples that an expression selects.

    Raises:
        UsageError: Nothing was removed there, or it was purged.
    """
    if dataset is None and where is None:
        raise UsageError("store restore takes a DATASET, or --where EXPRESSION, or both.")
    known = datasets_with_tombstones(store)
    if dataset is not None and dataset not in known:
        raise UsageError(
            f"Nothing was removed from {dataset!r}. Datasets with removed samples: {', '.join(known) or 'none'}.",
            hint=did_you_mean(dataset, known),
        )
    chosen = _choose(store, dataset, where, known)
    found = Restored()
    for name, ids in chosen.items():
        back = _restore(store, name, ids, {"dataset": dataset}, found)
        found.samples |= {name: back} if back else {}
        found.purged |= {name: len(ids) - back} if back < len(ids) else {}
    if not found.samples:
        named = dataset or next(iter(chosen), "DATASET")
        raise UsageError(
            "No removed sample is selected." if not chosen else "The rows were purged: there is nothing to restore.",
            hint=f"to import or pull them again: triptych store remove {named} --forget",
        )
    return found


def _choose(store: Store, dataset: str | None, where: str | None, known: list[str]) -> dict[str, list[str]]:
    if where is None:
        return withdrawn_ids(store, [dataset] if dataset is not None else known)
    matching, _ = removed_rows(store, where, dataset)
    return {name: sorted(ids) for name, ids in matching.items()}


def _restore(store: Store, dataset: str, ids: list[str], asked: dict[str, str | None], found: Restored) -> int:
    """Restore these ids of a dataset; return how many are back."""
    run = Run("restore", dataset, "store restore", asked)
    back: set[str] = set()
    with store.dataset_lock(dataset, "restore samples"):
        groups = _by_removal(store, dataset, ids)
        for run_id, group in groups.items():
            versions = _versions_before(store, run_id)
            back |= _restore_group(store, dataset, group, versions) if versions else set()
        found.missing_media += _missing_media(store, dataset, back)
        if back:
            run.account.keep(len(back))
            run.details = {"restored": digest_of(json.dumps(groups, sort_keys=True))}
            if not _is_accounted(store, run):
                run.finish(store)
            lift(store, dataset, back)
    return len(back)


def _is_accounted(store: Store, run: Run) -> bool:
    """Whether a restore of the same removals that was killed before it took the tombstones away wrote its account."""
    said = quote(run_details(run.details))
    where = f"stage = 'restore' AND dataset = {quote(run.dataset)} AND details = {said}"
    return bool(rows_of(store, "runs", f"SELECT 1 FROM {{}} WHERE {where} LIMIT 1"))


def _by_removal(store: Store, dataset: str, ids: Iterable[str]) -> dict[str, list[str]]:
    wanted = set(ids)
    groups: dict[str, list[str]] = {}
    for candidate, run_id in _query(
        store,
        f"SELECT candidate, max(run_id) FROM ({scan(store, 'events')}) "
        f"WHERE stage = '{STAGE}' AND dataset = {quote(dataset)} GROUP BY 1 ORDER BY 1",
    ):
        if candidate in wanted:
            groups.setdefault(run_id, []).append(candidate)
    return groups


def _versions_before(store: Store, run_id: str) -> dict[str, int]:
    """The table versions before a removal; of one that recorded none, those of the last run before it."""
    rows = _query(
        store, f"SELECT details, started_at::VARCHAR FROM ({scan(store, 'runs')}) WHERE run_id = {quote(run_id)}"
    )
    if not rows:
        return {}
    before: dict[str, int] = json.loads(rows[0][0] or "{}").get("before") or {}
    if before:
        return before
    try:
        return {name: number for name, number in versions_at(store, rows[0][1]).items() if name != "_time"}
    except UsageError:
        return {}


def _restore_group(store: Store, dataset: str, ids: list[str], versions: dict[str, int]) -> set[str]:
    import duckdb
    import pyarrow as pa

    try:
        for name in _TABLES:
            with session() as connection:
                connection.register("wanted", pa.table({"id": pa.array(ids, pa.string())}))
                live, key = f"({scan(store, name)})", _KEYS.get(name, "id")
                old = f"({scan(store, name, version=versions[name])})"
                rows = connection.sql(
                    f"(SELECT * FROM {live} LIMIT 0) UNION ALL BY NAME (SELECT o.* FROM {old} o "
                    f"SEMI JOIN wanted USING (id) ANTI JOIN (SELECT * FROM {live} WHERE dataset = {quote(dataset)}) n "
                    f"USING ({key}) WHERE o.dataset = {quote(dataset)})"
                ).to_arrow_table()
            if rows.num_rows:
                schema = pa.schema(store.table(name).schema().to_arrow())
                _append(store, name, dataset, rows.select(schema.names).cast(schema))
    except DamagedError:
        return set()  # the log was trimmed by a purge
    except duckdb.IOException:
        return set()  # the files were deleted by a purge
    listed = ", ".join(map(quote, ids))
    there = _query(
        store,
        f"SELECT id FROM ({scan(store, 'samples')}) WHERE dataset = {quote(dataset)} AND id IN ({listed})",
    )
    return {str(identity) for (identity,) in there}


def _append(store: Store, name: str, dataset: str, rows: pa.Table) -> None:
    if name != "samples":
        store.append(name, rows)
        return
    fence = f"pull:{dataset}"
    until_committed(lambda: store.append(name, rows, fence=(fence, store.fence_number(name, fence) + 1)))


def _missing_media(store: Store, dataset: str, ids: set[str]) -> list[str]:
    if not ids:
        return []
    listed = ", ".join(map(quote, ids))
    paths = "unnest(list_concat([audio.path, video.path, image.path], [m.path for m in coalesce(more_media, [])]))"
    rows = _query(
        store,
        f"SELECT DISTINCT {paths} AS path FROM ({scan(store, 'samples')}) "
        f"WHERE dataset = {quote(dataset)} AND id IN ({listed}) ORDER BY 1",
    )
    return [str(path) for (path,) in rows if path and not store.media.absolute(str(path)).is_file()]


def _query(store: Store, sql: str) -> list[tuple[str, ...]]:
    with session() as connection:
        return connection.execute(sql).fetchall()
