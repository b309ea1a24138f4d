"""The process's own DuckDB, for the package's queries: opening one takes longer than most of them.

A session is a connection with a database of its own in memory, or in a file; sessions share only threads and memory.
Settings such as the limit of memory or what files may be read hold for a whole DuckDB, so work that needs other ones,
as user SQL does, opens its own (`query.connect`).
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from .sql import quote

if TYPE_CHECKING:
    import duckdb

_OPENED: dict[int, duckdb.DuckDBPyConnection] = {}
"""By process: a forked one has none of the threads of its parent's."""
_OPENING = Lock()
_NUMBERS = itertools.count(1)


@contextmanager
def session(file: Path | None = None) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open a connection with an empty database of its own in memory, or with the one in `file`; times are in UTC."""
    database = _database()
    name = f"session_{next(_NUMBERS)}"
    connection = database.cursor()
    try:
        connection.execute(f"ATTACH {quote(':memory:' if file is None else str(file))} AS {name}")
        try:
            connection.execute(f"USE {name}; SET TimeZone = 'UTC'")
            yield connection
        finally:
            connection.close()  # before its database: a result that was not read to its end holds it
            with database.cursor() as other:
                other.execute(f"DETACH {name}")
    finally:
        connection.close()


def _database() -> duckdb.DuckDBPyConnection:
    import duckdb

    with _OPENING:
        found = _OPENED.get(os.getpid())
        if found is None:
            found = _OPENED[os.getpid()] = duckdb.connect(":memory:")
    return found
