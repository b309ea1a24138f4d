"""SQL quoting, and the first row or line of DuckDB's results and errors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import duckdb


def quote(text: str) -> str:
    """Return `text` as a SQL string literal."""
    return "'" + text.replace("'", "''") + "'"


def identifier(name: str) -> str:
    """Return `name` as a quoted SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def first_row(connection: duckdb.DuckDBPyConnection, sql: str, parameters: Any = None) -> tuple[Any, ...] | None:
    """Return the first row of a result, or None. All rows are fetched: an open result blocks the connection."""
    rows = connection.execute(sql, parameters).fetchall()
    return tuple(rows[0]) if rows else None


def first_line(error: Exception) -> str:
    """Return DuckDB's error message without the SQL excerpt below it."""
    return str(error).strip().split("\n\n")[0]
