"""A store as it is at one moment, to be read: each table is opened once, and one DuckDB serves every question.

Opening a Delta table reads its log, and a DuckDB takes as long as many a query. Whoever asks several things of a store
asks a snapshot; after a commit of its own it calls `refresh`, and the next question opens the tables anew.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from .store import Store
from .views import scan_sql

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa
    from deltalake import DeltaTable

_BATCH_ROWS = 200_000


class Snapshot:
    """What a store holds now. Use as a context manager; nothing is opened before the first question.

    Queries read the tables through `scan`: as they were pulled, without the annotations laid over them.
    """

    def __init__(self, store: Store) -> None:
        self.store = store
        self._tables: dict[str, DeltaTable] = {}
        self._connection: duckdb.DuckDBPyConnection | None = None

    def __enter__(self) -> Snapshot:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def refresh(self) -> None:
        """Forget the tables: something was committed since."""
        self._tables.clear()

    def is_empty(self, table: str) -> bool:
        """Whether a table has no rows at all."""
        return not self._table(table).file_uris()

    def scan(self, table: str) -> str:
        """SQL that reads a table: a SELECT without parentheses."""
        return scan_sql(self._table(table))

    def rows(self, sql: str, parameters: Any = None) -> list[tuple[Any, ...]]:
        """All rows of a query."""
        return self._connected().execute(sql, parameters).fetchall()

    def batches(self, sql: str, rows: int = _BATCH_ROWS) -> Iterator[pa.RecordBatch]:
        """The rows of a query, some at a time; other questions may be asked between two of them."""
        with self._connected().cursor() as cursor:
            cursor.execute("SET TimeZone = 'UTC'")
            yield from cursor.sql(sql).to_arrow_reader(rows)

    def _table(self, name: str) -> DeltaTable:
        if name not in self._tables:
            self._tables[name] = self.store.table(name)
        return self._tables[name]

    def _connected(self) -> duckdb.DuckDBPyConnection:
        if self._connection is None:
            import duckdb

            self._connection = duckdb.connect(":memory:")
            self._connection.execute("SET TimeZone = 'UTC'")
        return self._connection
