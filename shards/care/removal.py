"""Withdraw samples, for example when consent or a licence was revoked.

`remove` deletes rows from the current tables and leaves a tombstone for each, so that the next pull does not restore
them; it reports the exports that contain them. `purge` also deletes the old table versions, media that nothing else
names, partial downloads and the data of those exports (their manifests stay, marked as withdrawn); a receipt records
what was deleted. Samples removed earlier without `purge` can be purged later: `remove DATASET --purge`. Media that was
not named before is left alone: a running pull may be about to name it.
"""

from __future__ import annotations

import json
import shutil
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ...errors import UsageError, did_you_mean
from ..events import Run, event_row
from ..exports import versions as exports
from ..query import check_where, connect, where_errors
from ..store.sql import first_row, quote
from ..store.store import Store
from ..store.tables import EVENTS
from .care import named_media, sweep_cuts

_CHUNK = 20_000


@dataclass(slots=True)
class Removal:
    """What was (or would be) withdrawn, and which exports contain it."""

    samples: dict[str, int] = field(default_factory=dict)
    exports: dict[str, int] = field(default_factory=dict)
    purged: dict[str, int] = field(default_factory=dict)
    receipt: Path | None = None


def remove(
    store: Store,
    *,
    dataset: str | None = None,
    where: str | None = None,
    purge: bool = False,
    dry_run: bool = False,
    reason: str = "withdrawn",
) -> Removal:
    """Withdraw a whole dataset, or the samples that an expression selects.

    Raises:
        UsageError: Neither is given, the dataset is unknown, or the expression selects nothing.
    """
    if dataset is None and where is None:
        raise UsageError("store remove takes a DATASET, or --where EXPRESSION, or both.")
    ids = _select(store, dataset, where)
    if purge and where is None and dataset is not None:
        ids.setdefault(dataset, [])
    if not ids:
        raise UsageError(
            "No sample is selected.",
            hint='list what there is: triptych query "select dataset, count(*) from samples group by 1"',
        )
    withdrawn = ids if not purge else _with_tombstones(store, ids)
    result = Removal({name: len(group) for name, group in ids.items()}, _using_exports(store, withdrawn))
    if dry_run:
        return result
    request = {"dataset": dataset, "where": where, "purge": purge, "reason": reason}
    for name, group in ids.items():
        _remove_dataset(store, name, group, request, reason)
    if purge:
        result.purged = _purge(store, list(ids), list(result.exports))
    result.receipt = _write_receipt(store, result, request)
    store.refresh()
    return result


def _select(store: Store, dataset: str | None, where: str | None) -> dict[str, list[str]]:
    known = _known_datasets(store)
    if dataset is not None and dataset not in known:
        raise UsageError(
            f"The store has no dataset {dataset!r}. Datasets: {', '.join(known) or 'none'}.",
            hint=did_you_mean(dataset, known),
        )
    condition = f"({check_where(where)}\n)" if where else "true"
    if dataset is not None:
        condition += f" AND dataset = {quote(dataset)}"
    with connect(store) as connection, where_errors(where):
        rows = connection.execute(f"SELECT dataset, id FROM samples WHERE {condition} ORDER BY ALL").fetchall()
    found: dict[str, list[str]] = {}
    for name, identity in rows:
        found.setdefault(str(name), []).append(str(identity))
    return found


def _known_datasets(store: Store) -> list[str]:
    """Return the datasets that have samples, or had some that were removed."""
    with connect(store) as connection:
        rows = connection.execute(
            "SELECT dataset FROM samples_as_pulled UNION SELECT dataset FROM events WHERE stage = 'remove' ORDER BY 1"
        ).fetchall()
    return [str(row[0]) for row in rows]


def _with_tombstones(store: Store, ids: dict[str, list[str]]) -> dict[str, list[str]]:
    """Add the ids that were removed earlier from the same datasets: exports may still contain them."""
    listed = ", ".join(map(quote, ids))
    with connect(store) as connection:
        rows = connection.execute(
            f"SELECT dataset, candidate FROM events WHERE stage = 'remove' AND dataset IN ({listed})"
        ).fetchall()
    found = {name: list(group) for name, group in ids.items()}
    for name, identity in rows:
        found[str(name)].append(str(identity))
    return found


def _using_exports(store: Store, ids: dict[str, list[str]]) -> dict[str, int]:
    """Map the reference of every version that contains any of the samples to how many it contains."""
    import duckdb
    import pyarrow as pa

    from ..store.rows_to_arrow import values_to_array

    wanted = pa.table({"id": values_to_array([identity for group in ids.values() for identity in group], pa.string())})
    used: dict[str, int] = {}
    with duckdb.connect(":memory:") as connection:
        connection.register("wanted", wanted)
        for version in exports.all_versions(store):
            parquet = version.path / "data.parquet"
            if version.manifest.get("withdrawn") or not parquet.is_file():
                continue
            row = first_row(
                connection, f"SELECT count(*) FROM read_parquet({quote(str(parquet))}) SEMI JOIN wanted USING (id)"
            )
            if row and row[0]:
                used[version.reference] = int(row[0])
    return used


def _remove_dataset(store: Store, dataset: str, ids: list[str], request: dict[str, Any], reason: str) -> None:
    """Remove rows, tombstones first: if this is killed in between, the next pull restores nothing."""
    from ..store.rows_to_arrow import rows_to_table

    run = Run("remove", dataset, "store remove", request)
    with store.dataset_lock(dataset, "remove samples"):
        for start in range(0, len(ids), _CHUNK):
            chunk = ids[start : start + _CHUNK]
            events = [event_row(run, identity, reason, "withdrawn by `store remove`") for identity in chunk]
            store.append("events", rows_to_table(events, EVENTS))
            fence = f"pull:{dataset}"
            store.delete("samples", dataset, chunk, fence=(fence, store.fence_number("samples", fence) + 1))
            for name in ("checks", "verdicts", "annotations"):
                store.delete(name, dataset, chunk)
    run.account.drop(reason, len(ids))
    run.finish(store)


def _purge(store: Store, datasets: list[str], references: list[str]) -> dict[str, int]:
    """Delete old table versions, data of exports, then media that only these named, then partial downloads."""
    started = time.time()
    purged = {"table_files": 0, "exports": 0, "media_files": 0, "media_bytes": 0, "partial_bytes": 0}
    named = named_media(store)
    for name in ("samples", "checks", "verdicts", "annotations"):
        purged["table_files"] += store.vacuum(name)
    for dataset in datasets:
        purged["table_files"] += _remove_strays(store, dataset)
    for reference in references:
        _withdraw(exports.find(store, reference))
        purged["exports"] += 1
    for path in sorted(named - named_media(store)):
        file = store.root / path
        if not Path(path).is_absolute() and file.is_file() and file.stat().st_mtime < started:
            purged["media_files"] += 1
            purged["media_bytes"] += file.stat().st_size
            file.unlink()
    sweep_cuts(store)
    for folder in (store.root / "partial").glob("*"):
        if folder.is_dir() and folder.name != store.media.scratch.name:
            purged["partial_bytes"] += sum(f.stat().st_size for f in folder.rglob("*") if f.is_file())
            shutil.rmtree(folder)
    return purged


def _remove_strays(store: Store, dataset: str) -> int:
    """Delete sample files that no version names, left by a process killed between write and commit."""
    with store.dataset_lock(dataset, "purge"):
        tracked = set(store.live_files("samples"))
        strays = set((store.root / "samples" / f"dataset={dataset}").glob("*.parquet")) - tracked
        for path in strays:
            path.unlink()
    return len(strays)


def _withdraw(version: exports.Version) -> None:
    for name in version.manifest["files"]:
        if name != "NOTICE":
            (version.path / name).unlink(missing_ok=True)
    scratch = version.path / ".manifest.json"
    exports.write_json(scratch, version.manifest | {"withdrawn": datetime.now(UTC).isoformat(timespec="seconds")})
    scratch.rename(version.path / "manifest.json")


def _write_receipt(store: Store, removal: Removal, request: dict[str, Any]) -> Path:
    folder = store.root / "receipts"
    folder.mkdir(exist_ok=True)
    path = folder / f"remove-{datetime.now(UTC):%Y%m%dT%H%M%S%f}.json"
    document = {
        "asked": request,
        "samples": removal.samples,
        "exports": removal.exports,
        "purged": removal.purged,
        "at": datetime.now(UTC).isoformat(),
    }
    path.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return path
