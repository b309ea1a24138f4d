"""What a version says of itself: `manifest.json` for programs, `NOTICE` for people and their lawyers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...shards.events import Run
from ...shards.query import first_row
from .render import KEPT
from .request import Request

if TYPE_CHECKING:
    import duckdb


def make_manifest(
    connection: duckdb.DuckDBPyConnection,
    request: Request,
    run: Run,
    *,
    counts: Mapping[str, int],
    tables: Mapping[str, int],
    sql: Sequence[str],
    note: str | None,
    key: str,
) -> dict[str, Any]:
    """Everything but the sums of the files.

    Args:
        counts: Samples by outcome.
        tables: The version of every table that was read.
        sql: The statements that made the rows, in order.
        key: The identity of the request.
    """
    from ...version import __version__

    row = first_row(
        connection,
        "SELECT count(*) FILTER (WHERE _held_out), count(*) FILTER (WHERE _verdict IS NULL), "
        "count(*) FILTER (WHERE _verdict = 'reject') " + KEPT,
    ) or (0, 0, 0)
    return {
        "name": request.name,
        "note": note,
        "view": request.view.name,
        "view_revision": request.view.revision,
        **request.describe(),
        "rows": counts["written"],
        "counts": dict(sorted(counts.items())),
        "held_out_rows": row[0],
        "unvalidated_rows": row[1],
        "rejected_rows": row[2],
        "datasets": _licences(connection),
        "media_root": request.media_root,
        "key": key,
        "tables": dict(tables),
        "sql": list(sql),
        "run_id": run.run_id,
        "created_at": run.started_at.isoformat(timespec="seconds"),
        "software": {"triptych": __version__, "duckdb": _duckdb_version()},
    }


def _duckdb_version() -> str:
    import duckdb

    return str(duckdb.__version__)


def _licences(connection: duckdb.DuckDBPyConnection) -> dict[str, dict[str, int]]:
    rows = connection.execute(
        f"SELECT _dataset, coalesce(_license, 'unknown'), count(*) {KEPT} GROUP BY ALL ORDER BY ALL"
    ).fetchall()
    found: dict[str, dict[str, int]] = {}
    for dataset, licence, count in rows:
        found.setdefault(str(dataset), {})[str(licence)] = int(count)
    return found


def write_notice(connection: duckdb.DuckDBPyConnection, path: Path, request: Request) -> None:
    """Name the licence of every row, by dataset."""
    lines = [f"This export ({request.name}) holds rows of the datasets below. Their licences stay with them.", ""]
    for dataset, licences in _licences(connection).items():
        for licence, count in licences.items():
            lines.append(f"{dataset}: {licence} ({count:,} rows)")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
