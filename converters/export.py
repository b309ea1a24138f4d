"""Publishing one version of a view: `triptych export VIEW`.

select -> derive media -> count outcomes -> render to Parquet in order -> JSON Lines from it -> check by the format's
own rules -> manifest -> rename. An export whose identity was made before returns that version at once; one that
renders the same bytes as the last version returns that. Nothing under a version's name ever changes.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import DamagedError, ProblemsFound, UsageError
from ..shards import exports
from ..shards.events import Run
from ..shards.query import close_sandbox, connect, first_row
from ..shards.sample import check_name
from ..shards.store import Store, quote
from ..shards.tables import ALL_DATASETS
from ..validators.formats import sql_rules
from .derive import derive_media
from .selection import CorpusFacts, Selection, choose, count_outcomes, describe, prepare
from .views import View, ViewOptions, get_view
from .views.base import check_task
from .views.prompts import check_template

if TYPE_CHECKING:
    import duckdb

ORDERS = ("hash", "id")
MEMORY_LIMIT = "512MB"
_KEYED_TABLES = ("samples", "verdicts", "annotations", "checks")


@dataclass(slots=True)
class ExportResult:
    """A published (or reused) version, where its rows came from, and what to know before training on it."""

    version: exports.Version
    reused: bool
    counts: dict[str, int]
    warnings: list[str] = field(default_factory=list)
    next_command: str | None = None


@dataclass(frozen=True, slots=True)
class _Request:
    view: View
    name: str
    selection: Selection
    options: ViewOptions
    order: str
    seed: int
    media_root: str


def export(
    view: str,
    *,
    store: Store,
    task: str | None = None,
    datasets: Sequence[str] = (),
    splits: Sequence[str] = (),
    where: str | None = None,
    order: str | None = None,
    text: str | None = None,
    name: str | None = None,
    note: str | None = None,
    media_root: str | None = None,
    system: str | None = None,
    user_template: str | None = None,
    allow_answer_in_prompt: bool = False,
    include_rejected: bool = False,
    seed: int = 0,
) -> ExportResult:
    """Publish one version of a view, or return the version that the same request made before.

    Args:
        task: `sft` or `grpo` for `msswift`.
        splits: The corpus's split names, roles (`train`, `validation`, `test`) or globs.
        where: One DuckDB expression over the columns of `samples`.
        order: `hash` (by SHA-256 of seed and id) or `id`; the view's own by default.
        text: `raw` or `clean`; the view's own by default.
        media_root: Absolute path that media paths in the export start with; the store's own by default.

    Raises:
        UsageError: An option does not fit.
        ProblemsFound: No sample has a row, or a user template holds the answer.
    """
    request = _request(
        get_view(view), store, task, datasets, splits, where, order, text, name, media_root, system, user_template,
        allow_answer_in_prompt, include_rejected, seed,
    )  # fmt: skip
    with connect(store) as connection:
        facts = CorpusFacts.read(connection)
        _check_datasets(connection, request.selection, store)
        key = _key(store, request, facts)
        known = exports.remembered(store, request.name, key)
        if known is not None:
            return _result(known, request, reused=True)
        return _publish(store, connection, request, facts, key, note)


def _request(
    view: View,
    store: Store,
    task: str | None,
    datasets: Sequence[str],
    splits: Sequence[str],
    where: str | None,
    order: str | None,
    text: str | None,
    name: str | None,
    media_root: str | None,
    system: str | None,
    user_template: str | None,
    allow_answer_in_prompt: bool,
    include_rejected: bool,
    seed: int,
) -> _Request:
    task = check_task(view, task)
    order, text = order or view.order, text or view.text
    if order not in ORDERS:
        raise UsageError(f"--order takes {' or '.join(ORDERS)}, not {order!r}.")
    if text not in ("raw", "clean"):
        raise UsageError(f"--text takes raw or clean, not {text!r}.")
    if (system or user_template) and not view.tasks:
        raise UsageError(f"--system and --user-template are for conversations; the view {view.name!r} has none.")
    if user_template is not None:
        check_template(user_template)
    root = media_root or str(store.root)
    if not root.startswith("/"):
        raise UsageError(f"--media-root {root!r} must be an absolute path.")
    name = check_name(name or "-".join(part for part in (view.name, task) if part), what="export")
    options = ViewOptions(task, text, system or None, user_template, allow_answer_in_prompt)
    selection = Selection(tuple(sorted(set(datasets))), tuple(splits), where, include_rejected)
    return _Request(view, name, selection, options, order, seed, root.rstrip("/") or "/")


def _check_datasets(connection: duckdb.DuckDBPyConnection, selection: Selection, store: Store) -> None:
    known = [str(row[0]) for row in connection.execute("SELECT DISTINCT dataset FROM samples ORDER BY 1").fetchall()]
    if not known:
        raise ProblemsFound(
            f"The store {store.root} holds no samples.", hint="triptych catalog pull NAME, or triptych import csv FILE"
        )
    for dataset in selection.datasets:
        if dataset not in known:
            raise UsageError(f"The store has no dataset {dataset!r}. Datasets: {', '.join(known)}.")


def _key(store: Store, request: _Request, facts: CorpusFacts) -> str:
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
    uris = [os.path.relpath(uri, store.root) for uri in store.table(table).file_uris()]
    parts = [f"/dataset={dataset}/" for dataset in datasets]
    return sorted(uri for uri in uris if not parts or any(part in uri for part in parts))


def _publish(
    store: Store,
    connection: duckdb.DuckDBPyConnection,
    request: _Request,
    facts: CorpusFacts,
    key: str,
    note: str | None,
) -> ExportResult:
    versions = store.versions()
    folder = store.root / "exports" / request.name
    scratch = folder / f".scratch-{os.getpid()}-{key[:8]}"
    _bound(store, connection)
    choose(connection, request.selection, facts=facts)
    derive_media(store, connection)
    prepare(connection, request.selection, request.view, request.options, facts=facts, media_root=request.media_root)
    run = Run("export", _dataset(request), f"export {request.view.name}", _describe(request))
    counts = count_outcomes(connection)
    _account(run, counts)
    if not counts.get("written"):
        run.finish(store, status="empty")
        raise ProblemsFound(
            f"Nothing to export: {_in_words(counts)}.", hint="triptych explain ID says what became of a sample"
        )
    _refuse_leaks(connection, request)
    scratch.mkdir(parents=True, exist_ok=True)
    try:
        sql = _render(connection, request, scratch)
        _check_rows(connection, request, scratch)
        manifest = _manifest(connection, store, request, run, counts, versions, sql, note, key)
        _write_notice(connection, scratch / "NOTICE", request)
        manifest["files"], manifest["content_sha256"] = exports.data_files(scratch, request.media_root)
        version = _settle(store, request, scratch, manifest, key)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    reused = version.manifest["run_id"] != run.run_id
    run.details = {"export": version.reference, "reused": reused}
    _write_events(store, connection, run)
    run.finish(store)
    return _result(version, request, reused=reused)


def _bound(store: Store, connection: duckdb.DuckDBPyConnection) -> None:
    """Flat memory, and nothing outside the store within reach of a user's expression."""
    spill = store.root / "partial" / "tmp" / f"export-{os.getpid()}"
    connection.execute(f"SET memory_limit = '{MEMORY_LIMIT}'")
    connection.execute(f"SET temp_directory = {quote(str(spill))}")
    close_sandbox(connection, store.root)


def _render(connection: duckdb.DuckDBPyConnection, request: _Request, folder: Path) -> str:
    """Write data.parquet in order, then data.jsonl from it; returns the SQL."""
    select = f"SELECT {request.view.select_sql(request.options)} FROM prepared WHERE outcome IS NULL"
    used = _used_columns(connection, request, select)
    order = _order_sql(request)
    if len(used) > 1:
        order = f"{_witness_sql(connection, select, used, order)}, {order}"
    keep = "*"
    unused = [] if request.view.keeps_empty_columns else [c for c in request.view.media_columns if c not in used]
    if unused:
        keep = f"* EXCLUDE ({', '.join(unused)})"
    sql = f"SELECT {keep} FROM ({select}) ORDER BY {order}"
    parquet = folder / "data.parquet"
    connection.execute(f"COPY ({sql}) TO {quote(str(parquet))} (FORMAT parquet, COMPRESSION zstd)")
    exports.write_jsonl(connection, parquet, folder / "data.jsonl")
    return sql


def _used_columns(connection: duckdb.DuckDBPyConnection, request: _Request, select: str) -> list[str]:
    counts = ", ".join(f"count({column})" for column in request.view.media_columns)
    row = first_row(connection, f"SELECT {counts} FROM ({select})") or ()
    return [column for column, count in zip(request.view.media_columns, row, strict=True) if count]


def _order_sql(request: _Request) -> str:
    return f"sha256({quote(f'{request.seed}:')} || id), id" if request.order == "hash" else "id"


def _witness_sql(connection: duckdb.DuckDBPyConnection, select: str, used: list[str], order: str) -> str:
    """Real rows moved forward, so that every media column has a value in a loader's first chunk."""
    ids: list[str] = []
    open_columns = list(used)
    while open_columns:
        filled = " + ".join(f"({column} IS NOT NULL)::INT" for column in open_columns)
        row = first_row(
            connection,
            f"SELECT id, {', '.join(f'{column} IS NOT NULL' for column in open_columns)} FROM ({select}) "
            f"ORDER BY {filled} DESC, {order} LIMIT 1",
        )
        assert row is not None
        ids.append(str(row[0]))
        open_columns = [column for column, has in zip(open_columns, row[1:], strict=True) if not has]
    return f"coalesce(list_position([{', '.join(map(quote, ids))}], id), {len(ids) + 1})"


def _refuse_leaks(connection: duckdb.DuckDBPyConnection, request: _Request) -> None:
    leak = request.view.leak_sql(request.options)
    if leak is None:
        return
    row = first_row(
        connection, f"SELECT count(*), min(id) FROM prepared WHERE outcome IS NULL AND coalesce({leak}, false)"
    )
    if row and row[0]:
        raise ProblemsFound(
            f"The user template puts the answer into the user turn of {row[0]:,} rows, the first is {row[1]}: "
            "a model trained on them learns to copy.",
            hint="leave that field out of --user-template, or insist with --allow-answer-in-prompt",
        )


def _check_rows(connection: duckdb.DuckDBPyConnection, request: _Request, folder: Path) -> None:
    """The format's own rules over every row; a row that its consumer would refuse is never published."""
    parquet = quote(str(folder / "data.parquet"))
    columns = {str(row[0]) for row in connection.execute(f"DESCRIBE SELECT * FROM read_parquet({parquet})").fetchall()}
    rules = [
        (code, expression)
        for code, severity, expression in sql_rules(request.view.format, request.options.task, columns=columns)
        if severity == "error"
    ]
    counts = ", ".join(f"count(*) FILTER (WHERE {expression})" for _, expression in rules)
    row = first_row(connection, f"SELECT {counts} FROM read_parquet({parquet})") if rules else ()
    broken = [f"{count} rows: {code}" for (code, _), count in zip(rules, row or (), strict=True) if count]
    if broken:
        raise DamagedError(f"The view {request.view.name} made rows that its consumer refuses: {'; '.join(broken)}.")


def _account(run: Run, counts: dict[str, int]) -> None:
    for outcome, count in sorted(counts.items()):
        if outcome == "written":
            run.account.keep(count)
        else:
            run.account.drop(outcome, count)


def _write_events(store: Store, connection: duckdb.DuckDBPyConnection, run: Run) -> None:
    """One event a sample that was wanted but has no row; filtered samples are only counted."""
    import pyarrow as pa

    from ..shards.tables import EVENTS

    columns = ", ".join(name for name in EVENTS.names if name != "dataset")
    reader = connection.sql(f"""
        SELECT dataset, {columns} FROM (
            SELECT dataset, {quote(run.run_id)} AS run_id, 'export' AS stage, id AS candidate, outcome AS reason,
                   'has no row in ' || {quote(run.details["export"])} AS detail,
                   {quote(run.command)} AS uri, now() AS time
            FROM prepared WHERE outcome IS NOT NULL AND outcome <> 'filtered'
        ) p WHERE NOT EXISTS (
            SELECT 1 FROM events e WHERE e.stage = 'export' AND e.dataset = p.dataset
            AND e.candidate = p.candidate AND e.reason = p.reason AND e.uri = p.uri
        )""").to_arrow_reader(100_000)
    for batch in reader:
        if len(batch):
            store.append("events", pa.Table.from_batches([batch]).select(EVENTS.names).cast(EVENTS))


def _manifest(
    connection: duckdb.DuckDBPyConnection,
    store: Store,
    request: _Request,
    run: Run,
    counts: dict[str, int],
    versions: dict[str, int],
    sql: str,
    note: str | None,
    key: str,
) -> dict[str, Any]:
    from .. import __version__

    row = first_row(
        connection,
        "SELECT count(*) FILTER (WHERE held_out), count(*) FILTER (WHERE verdict IS NULL), "
        "count(*) FILTER (WHERE verdict = 'reject') FROM prepared WHERE outcome IS NULL",
    ) or (0, 0, 0)
    return {
        "name": request.name,
        "note": note,
        "view": request.view.name,
        "view_revision": request.view.revision,
        **_describe(request),
        "rows": counts["written"],
        "counts": dict(sorted(counts.items())),
        "held_out_rows": row[0],
        "unvalidated_rows": row[1],
        "rejected_rows": row[2],
        "datasets": _licences(connection),
        "media_root": request.media_root,
        "key": key,
        "tables": versions,
        "sql": sql,
        "run_id": run.run_id,
        "created_at": run.started_at.isoformat(timespec="seconds"),
        "software": {"triptych": __version__, "duckdb": _duckdb_version()},
    }


def _duckdb_version() -> str:
    import duckdb

    return str(duckdb.__version__)


def _licences(connection: duckdb.DuckDBPyConnection) -> dict[str, dict[str, int]]:
    rows = connection.execute(
        "SELECT dataset, coalesce(license, 'unknown'), count(*) FROM prepared WHERE outcome IS NULL "
        "GROUP BY ALL ORDER BY ALL"
    ).fetchall()
    found: dict[str, dict[str, int]] = {}
    for dataset, licence, count in rows:
        found.setdefault(str(dataset), {})[str(licence)] = int(count)
    return found


def _write_notice(connection: duckdb.DuckDBPyConnection, path: Path, request: _Request) -> None:
    lines = [f"This export ({request.name}) holds rows of the datasets below. Their licences stay with them.", ""]
    for dataset, licences in _licences(connection).items():
        for licence, count in licences.items():
            lines.append(f"{dataset}: {licence} ({count:,} rows)")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _settle(store: Store, request: _Request, scratch: Path, manifest: dict[str, Any], key: str) -> exports.Version:
    """Publish the finished folder, unless the last version holds the same bytes."""
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
    exports.write_json(scratch / "manifest.json", manifest)
    label = exports.publish(store, request.name, scratch)
    exports.remember(store, request.name, key, label)
    return exports.load(store, request.name, label)


def _result(version: exports.Version, request: _Request, *, reused: bool) -> ExportResult:
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
    command = request.view.train_command(version.data, request.options)
    return ExportResult(version, reused, dict(manifest["counts"]), warnings, command)


def _dataset(request: _Request) -> str:
    return request.selection.datasets[0] if len(request.selection.datasets) == 1 else ALL_DATASETS


def _describe(request: _Request) -> dict[str, Any]:
    return {
        "options": asdict(request.options),
        "selection": describe(request.selection),
        "order": request.order,
        "seed": request.seed,
    }


def _in_words(counts: dict[str, int]) -> str:
    return ", ".join(f"{count:,} {outcome}" for outcome, count in sorted(counts.items())) or "no samples were chosen"
