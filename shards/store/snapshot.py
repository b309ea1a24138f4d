"""A read-only view of a store: each table is opened once, and one DuckDB connection serves all queries.

Opening a Delta table reads its log, which takes as long as many queries, so code with several queries uses
a snapshot. After a commit of its own it calls `refresh`, and the next query reopens the tables.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from .database import session
from .store import Store
from .views import scan_sql

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa
    from deltalake import DeltaTable

_BATCH_ROWS = 200_000


class Snapshot:
    """The current content of a store. Use as a context manager; nothing is opened before the first query.

    Queries read the tables through `scan`: as they were pulled, without annotations applied.
    """

    def __init__(self, store: Store) -> None:
        self.store = store
        self._tables: dict[str, DeltaTable] = {}
        self._connection: duckdb.DuckDBPyConnection | None = None
        self._opened = ExitStack()

    def __enter__(self) -> Snapshot:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._opened.close()
        self._connection = None

    def refresh(self) -> None:
        """Forget the open tables, because something was committed since."""
        self._tables.clear()

    def is_empty(self, table: str) -> bool:
        """Whether a table has no rows."""
        return not self._table(table).file_uris()

    def scan(self, table: str) -> str:
        """Return SQL that reads a table: a SELECT without parentheses."""
        return scan_sql(table, self._table(table))

    def rows(self, sql: str, parameters: Any = None) -> list[tuple[Any, ...]]:
        """Return all rows of a query."""
        return self._connected().execute(sql, parameters).fetchall()

    def batches(self, sql: str, rows: int = _BATCH_ROWS) -> Iterator[pa.RecordBatch]:
        """Yield the rows of a query in batches; other queries may run in between."""
        with self._connected().cursor() as cursor:
            cursor.execute("SET TimeZone = 'UTC'")
            yield from cursor.sql(sql).to_arrow_reader(rows)

    def _table(self, name: str) -> DeltaTable:
        if name not in self._tables:
            self._tables[name] = self.store.table(name)
        return self._tables[name]

    def _connected(self) -> duckdb.DuckDBPyConnection:
        if self._connection is None:
            self._connection = self._opened.enter_context(session())
        return self._connection
