"""`--where EXPR` of a pull: an SQL expression over the columns of a candidate that are known before its media is read.

DuckDB evaluates it in batches, as its overhead per query is about a hundred times the cost of one row. The connection
can access only those rows: no files, no network, no settings.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ...errors import UsageError

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

_AFTER_MEDIA = ("audio", "video", "image", "more_media", "pulled_at")


def known_columns() -> list[pa.Field]:
    """Return the columns that are known before any media is read."""
    from ...shards.sample import SCHEMA

    return [field for field in SCHEMA if field.name not in _AFTER_MEDIA]


class Unfit(Exception):
    """Values of a row do not fit the schema, so the expression cannot be evaluated on it."""


class Expression:
    """A validated SQL expression; null counts as false.

    Raises:
        UsageError: It is not a single expression, or uses columns that are not known yet.
    """

    def __init__(self, text: str) -> None:
        import pyarrow as pa

        from ...shards.query import check_where

        self.text = check_where(text)
        lowered = text.lower()
        known = known_columns()
        named = [field for field in known if field.name in lowered]
        self._schema = pa.schema(named or [field for field in known if field.name == "id"])
        self._connection: duckdb.DuckDBPyConnection | None = None
        self.of([])

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Expression) and other.text == self.text

    def __hash__(self) -> int:
        return hash(self.text)

    def __repr__(self) -> str:
        return f"Expression({self.text!r})"

    def __str__(self) -> str:
        return self.text

    def of(self, rows: Sequence[Mapping[str, Any]]) -> list[bool]:
        """Evaluate the expression on each row.

        Raises:
            Unfit: A row's values have types that no sample has.
            UsageError: DuckDB cannot evaluate the expression on these rows.
        """
        import duckdb
        import pyarrow as pa

        from ...shards.store.sql import first_line

        try:
            batch = pa.Table.from_pylist(
                [{name: row.get(name) for name in self._schema.names} for row in rows], schema=self._schema
            )
        except (pa.ArrowException, TypeError, ValueError, OverflowError) as error:
            raise Unfit(str(error)) from error
        connection = self._open()
        connection.register("candidates", batch)
        try:
            sql = f"SELECT coalesce(CAST(({self.text}\n) AS BOOLEAN), false) FROM candidates"
            return [bool(value) for (value,) in connection.execute(sql).fetchall()]
        except duckdb.Error as error:
            known = ", ".join(field.name for field in known_columns())
            raise UsageError(
                f"--where {self.text!r}: {first_line(error)}",
                hint=f"columns known before media is read: {known}; for others use export --where",
            ) from error
        finally:
            connection.unregister("candidates")

    def _open(self) -> duckdb.DuckDBPyConnection:
        import duckdb

        if self._connection is None:
            self._connection = duckdb.connect(":memory:", config={"threads": 1})
            self._connection.execute("SET TimeZone = 'UTC'")
            self._connection.execute("SET enable_external_access = false")
            self._connection.execute("SET lock_configuration = true")
        return self._connection
