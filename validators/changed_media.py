"""Samples whose media is gone, is back, or has another size since they were measured: they are measured again."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from ..shards.store.rows_to_arrow import texts_table
from ..shards.store.sql import quote
from ..shards.store.store import Store

if TYPE_CHECKING:
    import duckdb

_ROWS = 100_000
_STRUCTS = ("audio", "video", "image")


def add_changed_media(store: Store, connection: duckdb.DuckDBPyConnection, dataset: str, *, revision: str) -> None:
    """Add samples to the table `unmeasured` (id, stale) whose files are not those that were measured.

    Every file is asked for once, and not read: bytes that changed within the same size are found by `store verify`.
    """
    kinds = [
        f"SELECT id, {kind}.path AS path, {kind}.bytes AS bytes FROM s WHERE {kind} IS NOT NULL" for kind in _STRUCTS
    ]
    more = "SELECT id, m.path, NULL FROM (SELECT id, unnest(more_media) AS m FROM s WHERE more_media IS NOT NULL)"
    connection.execute(f"""
        CREATE OR REPLACE TEMP TABLE measured_media AS
        WITH s AS (SELECT * FROM samples_as_pulled WHERE dataset = {quote(dataset)})
        SELECT m.id, m.path, m.bytes, c.measured_at FROM ({" UNION ALL ".join([*kinds, more])}) m
        JOIN checks c ON c.dataset = {quote(dataset)} AND c.id = m.id AND c.revision = {quote(revision)}""")
    missing, resized = _look(store, connection)
    connection.register("missing_now", texts_table(path=missing))
    connection.register("resized_now", texts_table(path=resized))
    has_column = "missing_media" in {row[0] for row in connection.execute("DESCRIBE checks").fetchall()}
    before = "len(coalesce(c.missing_media, []))" if has_column else "0"
    connection.execute(f"""
        INSERT INTO unmeasured
        SELECT n.id, true FROM (
            SELECT id, count(DISTINCT path) FILTER (path IN (SELECT path FROM missing_now)) AS missing,
                   count(*) FILTER (path IN (SELECT path FROM resized_now)) AS resized
            FROM measured_media GROUP BY id
        ) n JOIN checks c ON c.dataset = {quote(dataset)} AND c.id = n.id AND c.revision = {quote(revision)}
        WHERE (n.missing <> {before} OR n.resized > 0) AND n.id NOT IN (SELECT id FROM unmeasured)""")
    connection.execute("DROP TABLE measured_media")


def _look(store: Store, connection: duckdb.DuckDBPyConnection) -> tuple[list[str], list[str]]:
    """The files that are missing, and those of another size than stored that changed after they were measured."""
    missing, resized = [], []
    root = str(store.root)
    reader = connection.execute(
        "SELECT path, any_value(bytes), epoch(max(measured_at)) FROM measured_media GROUP BY path"
    )
    while rows := reader.fetchmany(_ROWS):
        for path, size, measured_at in rows:
            try:
                found = os.stat(path if path.startswith("/") else f"{root}/{path}")  # noqa: PTH116 (a third of the time)
            except OSError:
                missing.append(path)
                continue
            if size is not None and found.st_size != size and found.st_mtime > measured_at:
                resized.append(path)
    return missing, resized
