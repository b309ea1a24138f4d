"""Publish a finished version: the next version number, the events of samples without a row."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...shards.events import Run
from ...shards.exports import keys
from ...shards.exports import versions as exports
from ...shards.exports.collection import put_back, unmark_collected
from ...shards.query import scan
from ...shards.store.lock import locked
from ...shards.store.sql import quote
from ...shards.store.store import Store
from ...shards.store.tables import EVENTS
from .manifest import account_of
from .request import Request

if TYPE_CHECKING:
    import duckdb


@contextmanager
def publishing(store: Store, connection: duckdb.DuckDBPyConnection, name: str) -> Iterator[None]:
    """One process at a time publishes under a name, from its number to its account; it sees the account of the last."""
    with locked(store.root / "exports" / name / ".lock", purpose=f"publish {name}"):
        for table in ("runs", "events"):
            connection.execute(f"CREATE OR REPLACE VIEW {table} AS {scan(store, table)}")
        yield


def publish(store: Store, request: Request, finished: Path, manifest: dict[str, Any], key: str) -> exports.Version:
    """Publish the finished folder unless the last version has the same bytes, for a trainer with the same settings."""
    for label in reversed([label for label in exports.labels(store, request.name) if "-" not in label]):
        last = exports.load(store, request.name, label)
        same = (
            all(
                last.manifest["files"].get(name, {}).get("sha256") == manifest["files"][name]["sha256"]
                for name in manifest["files"]
                if name != "NOTICE"
            )
            and last.manifest.get("trainer_settings", {}) == manifest["trainer_settings"]
        )
        if same and not last.manifest.get("withdrawn"):
            if last.manifest.get("collected"):
                for file in last.manifest["files"]:
                    put_back(last, file, finished / file)
                unmark_collected(last)
                last = exports.load(store, request.name, label)
            keys.remember(store, request.name, key, label, account_of(manifest))
            return last
        break
    exports.write_json(finished / "manifest.json", manifest)
    label = exports.publish(store, request.name, finished)
    keys.remember(store, request.name, key, label, account_of(manifest))
    return exports.load(store, request.name, label)


def is_accounted(connection: duckdb.DuckDBPyConnection, version: exports.Version) -> bool:
    """Whether the run that made a version has its row: an export can be killed between publishing and its account."""
    run_id = version.manifest["run_id"]
    return bool(connection.execute("SELECT 1 FROM runs WHERE run_id = $1 LIMIT 1", [run_id]).fetchall())


def adopt_run(run: Run, version: exports.Version) -> None:
    """Account under the run that made the version, as that run would have done if it had not been killed."""
    run.run_id = version.manifest["run_id"]
    run.started_at = datetime.fromisoformat(version.manifest["created_at"])


def write_events(store: Store, connection: duckdb.DuckDBPyConnection, run: Run, *, expanded: bool = False) -> None:
    """Write one event per selected sample without a row; filtered samples are only counted.

    The event of a cut that failed says why.
    """
    import pyarrow as pa

    columns = ", ".join(name for name in EVENTS.names if name != "dataset")
    outcomes = (
        "(SELECT dataset, id, outcome FROM sample_outcomes WHERE outcome <> 'written')"
        if expanded
        else "(SELECT _dataset AS dataset, id, _outcome AS outcome FROM rows WHERE _outcome IS NOT NULL)"
    )
    reader = connection.sql(f"""
        SELECT dataset, {columns} FROM (
            SELECT r.dataset, {quote(run.run_id)} AS run_id, 'export' AS stage, r.id AS candidate,
                   r.outcome AS reason,
                   'has no row in ' || {quote(run.details["export"])} || coalesce(': ' || d.detail, '') AS detail,
                   {quote(run.command)} AS uri, now() AS time
            FROM {outcomes} r
            LEFT JOIN derived d ON d.dataset = r.dataset AND d.id = r.id AND d.reason = r.outcome
        ) p WHERE NOT EXISTS (
            SELECT 1 FROM events e WHERE e.stage = 'export' AND e.dataset = p.dataset
            AND e.candidate = p.candidate AND e.reason = p.reason AND e.uri = p.uri
        )""").to_arrow_reader(100_000)
    for batch in reader:
        if len(batch):
            store.append("events", pa.Table.from_batches([batch]).select(EVENTS.names).cast(EVENTS))
