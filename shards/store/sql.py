"""Small pieces of SQL and of DuckDB's answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import duckdb


def quote(text: str) -> str:
    """A SQL string literal."""
    return "'" + text.replace("'", "''") + "'"


def first_row(connection: duckdb.DuckDBPyConnection, sql: str, parameters: Any = None) -> tuple[Any, ...] | None:
    """The first row of a result, or None. The result is read to its end: an open one blocks the connection."""
    rows = connection.execute(sql, parameters).fetchall()
    return tuple(rows[0]) if rows else None


def first_line(error: Exception) -> str:
    """What DuckDB says, without the piece of SQL under it."""
    return str(error).strip().split("\n\n")[0]
