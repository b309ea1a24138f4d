"""The process's own DuckDB, for the package's queries: opening one takes longer than most of them.

A session is a connection with a database of its own in memory, or in a file; sessions share only threads and memory.
Settings such as the limit of memory or what files may be read hold for a whole DuckDB, so work that needs other ones,
as user SQL does, opens its own (`query.connect`).
"""

from __future__ import annotations

import atexit
import itertools
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from .sql import quote

if TYPE_CHECKING:
    import duckdb

_OPENED: dict[str, duckdb.DuckDBPyConnection] = {}
_PREPARED: set[str] = set()
_OPENING = Lock()
_NUMBERS = itertools.count(1)


@contextmanager
def session(file: Path | None = None) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open a connection with an empty database of its own in memory, or with the one in `file`; times are in UTC."""
    database = lasting("queries")
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


def lasting(
    name: str,
    config: Mapping[str, str | bool | int] | None = None,
    *,
    prepare: Callable[[duckdb.DuckDBPyConnection], None] | None = None,
) -> duckdb.DuckDBPyConnection:
    """Return the DuckDB of that name, to make cursors of; it is opened, and prepared, once a process."""
    import duckdb

    with _OPENING:
        if name not in _OPENED:
            _OPENED[name] = duckdb.connect(":memory:", config=dict(config or {}))
        if prepare is not None and name not in _PREPARED:
            prepare(_OPENED[name])
            _PREPARED.add(name)
        return _OPENED[name]


def _let_go() -> None:
    """Before a fork: the new process would have these DuckDBs without their threads, and wait for them when it ends."""
    _OPENING.acquire()
    _OPENED.clear()
    _PREPARED.clear()


@atexit.register
def _close() -> None:
    """At the end of the process: torch keeps modules, as `typing` with the overloads of ours, so that what those reach
    is never freed, and DuckDB tells of each connection that it was leaked."""
    for opened in _OPENED.values():
        opened.close()
    _OPENED.clear()
    _PREPARED.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_let_go, after_in_parent=_OPENING.release, after_in_child=_OPENING.release)
