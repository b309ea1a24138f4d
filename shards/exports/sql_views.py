"""Views of the published versions, for queries: `exports."msswift-grpo@v2"`, and `exports.versions`, one row a version.

The latest version of each export has a view of the plain name, too: `exports."msswift-grpo"`. Versions whose rows are
gone have no view.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..store.sql import first_line, identifier, quote
from .gone import refuse_gone

if TYPE_CHECKING:
    import duckdb

log = logging.getLogger("triptych")

SCHEMA = "exports"
_LABEL = re.compile(r"v(\d+)")
_COLUMNS = {
    "reference": "VARCHAR", "name": "VARCHAR", "version": "INTEGER", "view": "VARCHAR", "task": "VARCHAR",
    "rows": "BIGINT", "created_at": "TIMESTAMPTZ", "run_id": "VARCHAR", "content_sha256": "VARCHAR",
    "withdrawn": "BOOLEAN",
}  # fmt: skip


def create_export_views(
    connection: duckdb.DuckDBPyConnection, root: Path, *, shown: str | None = None, named_in: str | None = None
) -> None:
    """Create the schema and its views in a database.

    A version whose file is damaged has no view: `exports verify` says what is wrong with it, and a pull or an import
    must not fail for it.

    Args:
        shown: SQL of the store's root, where another machine will open the views; default: the root.
        named_in: A query: only the views that it names are made.
    """
    facts, statements = [], {}
    for name, versions in _published(root):
        views = {}
        for number, manifest in versions:
            facts.append(_fact(name, number, manifest))
            if _has_rows(root, name, number, manifest):
                views[f"{name}@v{number}"] = views[name] = number
        for view, number in views.items():
            if named_in is None or view in named_in:
                statements[view] = _view_sql(root, view, name, number, shown)
    selected = ", ".join(f"col{n}::{type_} AS {name}" for n, (name, type_) in enumerate(_COLUMNS.items()))
    values = ", ".join(facts) or f"({', '.join(['NULL'] * len(_COLUMNS))})"
    listed = (
        f"CREATE OR REPLACE VIEW {SCHEMA}.versions AS "
        f"SELECT * FROM (SELECT {selected} FROM (VALUES {values})) WHERE reference IS NOT NULL"
    )
    _create(connection, f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}; {listed}", statements)


def refuse_without_rows(root: Path, view: str) -> None:
    """Raise UsageError if a name is that of a version, or of the latest of an export, whose rows were deleted."""
    for name, versions in _published(root):
        for number, manifest in versions:
            if view == f"{name}@v{number}" or (view == name and number == versions[-1][0]):
                refuse_gone(f"{name}@v{number}", manifest)


def _create(connection: duckdb.DuckDBPyConnection, first: str, statements: dict[str, str]) -> None:
    """Run the first statements, and create views by name, without those of damaged files, in one transaction: each
    alone would be written to disk.
    """
    import duckdb

    while True:
        connection.begin()
        connection.execute(first)
        for view, sql in statements.items():
            try:
                connection.execute(sql)
            except duckdb.Error as error:
                connection.rollback()  # what was created before it is gone, too
                log.warning('exports."%s" has no view: %s', view, first_line(error))
                statements = {name: other for name, other in statements.items() if name != view}
                break
        else:
            connection.commit()
            return


def _published(root: Path) -> Iterator[tuple[str, list[tuple[int, dict[str, Any]]]]]:
    """The exports and their original versions, oldest first; relocated copies have the same rows."""
    folder = root / SCHEMA
    for path in sorted(folder.iterdir()) if folder.is_dir() else []:
        found = []
        for manifest in path.glob("v*/manifest.json"):
            match = _LABEL.fullmatch(manifest.parent.name)
            document = _read(manifest) if match else None
            if match and document is not None:
                found.append((int(match[1]), document))
        if found:
            yield path.name, sorted(found, key=lambda each: each[0])


def _read(manifest: Path) -> dict[str, Any] | None:
    """A manifest; None if it is damaged, which `exports verify` and `store verify` say."""
    try:
        document = json.loads(manifest.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return document if isinstance(document, dict) else None


def _has_rows(root: Path, name: str, number: int, manifest: dict[str, Any]) -> bool:
    """Whether the rows are there as published; a file of another size is damaged."""
    file = root / SCHEMA / name / f"v{number}" / "data.parquet"
    expected = manifest.get("files", {}).get("data.parquet", {}).get("bytes")
    return file.is_file() and file.stat().st_size == expected


def _view_sql(root: Path, view: str, name: str, number: int, shown: str | None) -> str:
    place = f"/{SCHEMA}/{name}/v{number}/data.parquet"
    file = quote(f"{root}{place}") if shown is None else f"{shown} || {quote(place)}"
    return f"CREATE OR REPLACE VIEW {SCHEMA}.{identifier(view)} AS SELECT * FROM read_parquet({file})"


def _fact(name: str, number: int, manifest: dict[str, Any]) -> str:
    texts = [f"{name}@v{number}", name, str(number), manifest.get("view"),
             (manifest.get("options") or {}).get("task"), manifest.get("rows"), manifest.get("created_at"),
             manifest.get("run_id"), manifest.get("content_sha256"),
             "true" if manifest.get("withdrawn") else "false"]  # fmt: skip
    return f"({', '.join('NULL' if text is None else quote(str(text)) for text in texts)})"
