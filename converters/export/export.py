"""Publishing one version of a view: `triptych export VIEW`.

select -> derive media -> count outcomes -> render to Parquet in order -> JSON Lines from it -> check by the format's
own rules -> manifest -> rename. An export whose identity was made before returns that version at once; one that
renders the same bytes as the last version returns that. Nothing under a version's name ever changes.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import ProblemsFound, UsageError
from ...shards import exports
from ...shards.events import Run
from ...shards.lock import locked
from ...shards.query import close_sandbox, connect
from ...shards.store import Store, quote
from ...shards.tables import ALL_DATASETS, EVENTS
from ..views.prepare import create_macros, create_prepared, statements
from .cut_media import derive_media
from .manifest import make_manifest, write_notice
from .options import ExportOptions
from .render import count_outcomes, make_rows, refuse_leaks, render
from .request import Request, make_request
from .select import CorpusFacts, ExportFilter, choose, definitions, describe, place_media

if TYPE_CHECKING:
    import duckdb

MEMORY_LIMIT = "512MB"
STALE_AFTER_S = 86_400.0
"""A scratch folder of this age was left by a process that was killed."""

_KEYED_TABLES = ("samples", "verdicts", "annotations", "checks")


@dataclass(slots=True)
class ExportResult:
    """A published (or reused) version, where its rows came from, and what to know before training on it."""

    version: exports.Version
    reused: bool
    counts: dict[str, int]
    warnings: list[str] = field(default_factory=list)
    next_command: str | None = None


def export(view: str, *, store: Store, options: ExportOptions | None = None) -> ExportResult:
    """Publish one version of a view, or return the version that the same request made before.

    Raises:
        UsageError: An option does not fit.
        ProblemsFound: No sample has a row, or a user template holds the answer.
    """
    options = options or ExportOptions()
    request = make_request(view, store=store, options=options)
    with connect(store) as connection:
        facts = CorpusFacts.read(connection, request.selection.datasets)
        _check_datasets(connection, request.selection, store)
        key = _key(store, request, facts)
        known = exports.remembered(store, request.name, key)
        if known is not None:
            return _result(known, request, reused=True)
        return _publish(store, connection, request, facts, key, options)


def _check_datasets(connection: duckdb.DuckDBPyConnection, selection: ExportFilter, store: Store) -> None:
    known = [str(row[0]) for row in connection.execute("SELECT DISTINCT dataset FROM samples ORDER BY 1").fetchall()]
    if not known:
        raise ProblemsFound(
            f"The store {store.root} holds no samples.", hint="triptych catalog pull NAME, or triptych import csv FILE"
        )
    for dataset in selection.datasets:
        if dataset not in known:
            raise UsageError(f"The store has no dataset {dataset!r}. Datasets: {', '.join(known)}.")


def _key(store: Store, request: Request, facts: CorpusFacts) -> str:
    """The identity of an export: everything that its rows can depend on."""
    files = {name: _files(store, name, request.selection.datasets) for name in _KEYED_TABLES}
    identity = {
        "view": request.view.name,
        "view_revision": request.view.revision,
        "options": asdict(request.options),
        "selection": describe(request.selection),
        "order": request.order,
        "seed": request.seed,
        "media_root": request.media_root,
        "corpus": asdict(facts),
        "files": files,
    }
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()


def _files(store: Store, table: str, datasets: Sequence[str]) -> list[str]:
    files = (file.relative_to(store.root) for file in store.live_files(table))
    wanted = {f"dataset={dataset}" for dataset in datasets}
    return sorted(str(file) for file in files if not wanted or file.parent.name in wanted)


def _publish(
    store: Store,
    connection: duckdb.DuckDBPyConnection,
    request: Request,
    facts: CorpusFacts,
    key: str,
    options: ExportOptions,
) -> ExportResult:
    versions = store.versions()
    folder = store.root / "exports" / request.name
    _bound(store, connection)
    create_macros(connection, request.options)
    choose(connection, request.selection, facts=facts)
    derive_media(store, connection)
    place_media(connection, request.selection, facts=facts, media_root=request.media_root)
    create_prepared(connection)
    run = Run("export", _dataset(request), f"export {request.view.name}", options.asked() | request.describe())
    with _scratch(folder, key) as scratch:
        made = make_rows(connection, request, scratch)
        counts = count_outcomes(connection)
        _account(run, counts)
        if not counts.get("written"):
            run.finish(store, status="empty")
            raise ProblemsFound(
                f"Nothing to export: {_in_words(counts)}.", hint="triptych explain ID says what became of a sample"
            )
        refuse_leaks(connection)
        finished = scratch / "version"
        finished.mkdir()
        ordered = render(connection, request, finished)
        sql = [*definitions(connection), *statements(request.options), made, ordered]
        manifest = make_manifest(
            connection, request, run, counts=counts, tables=versions, sql=sql, note=options.note, key=key
        )
        write_notice(connection, finished / "NOTICE", request)
        manifest["files"], manifest["content_sha256"] = exports.data_files(finished, request.media_root)
        version = _settle(store, request, finished, manifest, key)
        reused = version.manifest["run_id"] != run.run_id
        run.details = {"export": version.reference, "reused": reused}
        _write_events(store, connection, run)
    run.finish(store)
    return _result(version, request, reused=reused)


@contextlib.contextmanager
def _scratch(folder: Path, key: str) -> Iterator[Path]:
    """A folder to work in beside the versions; it is gone in the end, and so are old ones of killed processes."""
    for left in folder.glob(".scratch-*"):
        if time.time() - left.stat().st_mtime > STALE_AFTER_S:
            shutil.rmtree(left, ignore_errors=True)
    scratch = folder / f".scratch-{os.getpid()}-{key[:8]}"
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    try:
        yield scratch
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _bound(store: Store, connection: duckdb.DuckDBPyConnection) -> None:
    """Flat memory, and nothing outside the store within reach of a user's expression."""
    spill = store.root / "partial" / "tmp" / f"export-{os.getpid()}"
    connection.execute(f"SET memory_limit = '{MEMORY_LIMIT}'")
    connection.execute(f"SET temp_directory = {quote(str(spill))}")
    close_sandbox(connection, store.root)


def _account(run: Run, counts: dict[str, int]) -> None:
    for outcome, count in sorted(counts.items()):
        if outcome == "written":
            run.account.keep(count)
        else:
            run.account.drop(outcome, count)


def _write_events(store: Store, connection: duckdb.DuckDBPyConnection, run: Run) -> None:
    """One event a sample that was wanted but has no row; filtered samples are only counted."""
    import pyarrow as pa

    columns = ", ".join(name for name in EVENTS.names if name != "dataset")
    reader = connection.sql(f"""
        SELECT dataset, {columns} FROM (
            SELECT _dataset AS dataset, {quote(run.run_id)} AS run_id, 'export' AS stage, id AS candidate,
                   _outcome AS reason,
                   'has no row in ' || {quote(run.details["export"])} AS detail,
                   {quote(run.command)} AS uri, now() AS time
            FROM rows WHERE _outcome IS NOT NULL
        ) p WHERE NOT EXISTS (
            SELECT 1 FROM events e WHERE e.stage = 'export' AND e.dataset = p.dataset
            AND e.candidate = p.candidate AND e.reason = p.reason AND e.uri = p.uri
        )""").to_arrow_reader(100_000)
    for batch in reader:
        if len(batch):
            store.append("events", pa.Table.from_batches([batch]).select(EVENTS.names).cast(EVENTS))


def _settle(store: Store, request: Request, finished: Path, manifest: dict[str, Any], key: str) -> exports.Version:
    """Publish the finished folder, unless the last version holds the same bytes; one at a time for each name."""
    with locked(store.root / "exports" / request.name / ".lock", purpose=f"publish {request.name}"):
        return _settle_alone(store, request, finished, manifest, key)


def _settle_alone(
    store: Store, request: Request, finished: Path, manifest: dict[str, Any], key: str
) -> exports.Version:
    for label in reversed([label for label in exports.labels(store, request.name) if "-" not in label]):
        last = exports.load(store, request.name, label)
        same = all(
            last.manifest["files"][name]["sha256"] == manifest["files"][name]["sha256"]
            for name in ("data.jsonl", "data.parquet")
        )
        if same and not last.manifest.get("withdrawn"):
            exports.remember(store, request.name, key, label)
            return last
        break
    exports.write_json(finished / "manifest.json", manifest)
    label = exports.publish(store, request.name, finished)
    exports.remember(store, request.name, key, label)
    return exports.load(store, request.name, label)


def _result(version: exports.Version, request: Request, *, reused: bool) -> ExportResult:
    manifest = version.manifest
    warnings = []
    if manifest["held_out_rows"] and not request.selection.splits:
        warnings.append(
            f"{manifest['held_out_rows']:,} of {manifest['rows']:,} rows come from validation or test splits: "
            "choose with --split train before you train"
        )
    if manifest["unvalidated_rows"]:
        warnings.append(f"{manifest['unvalidated_rows']:,} rows were never validated: run `triptych validate` first")
    if manifest["rejected_rows"]:
        warnings.append(f"{manifest['rejected_rows']:,} rows were rejected by the rules and are in all the same")
    command = None
    if request.view.train_command is not None:
        command = request.view.train_command(version.data, request.options, exports.columns(version))
    return ExportResult(version, reused, dict(manifest["counts"]), warnings, command)


def _dataset(request: Request) -> str:
    return request.selection.datasets[0] if len(request.selection.datasets) == 1 else ALL_DATASETS


def _in_words(counts: dict[str, int]) -> str:
    return ", ".join(f"{count:,} {outcome}" for outcome, count in sorted(counts.items())) or "no samples were chosen"
