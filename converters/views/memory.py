"""The process's own DuckDB, which reads no files: it parses views, and makes rows of samples in memory.

Opening DuckDB and creating the macros of views take longer than making a few rows, so both are done once. Whatever
depends on a request is temporary and belongs to the connection of that request.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from threading import Lock
from typing import TYPE_CHECKING

from .base import ViewOptions
from .prepare import create_macros, create_prompts, option_macros

if TYPE_CHECKING:
    import duckdb

_CREATING = Lock()


@contextmanager
def parser() -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection that parses SQL."""
    with _database().cursor() as connection:
        yield connection


def connect(options: ViewOptions) -> duckdb.DuckDBPyConnection:
    """A connection with the macros of views, those of the options, and the tables of prompts."""
    with _CREATING:
        database = _with_macros()
    connection = database.cursor()
    connection.execute(option_macros(options))
    return connection


@lru_cache(maxsize=1)
def _with_macros() -> duckdb.DuckDBPyConnection:
    database = _database()
    create_macros(database, ViewOptions())  # macros that use an option can be created only while it exists
    create_prompts(database)
    return database


@lru_cache(maxsize=1)
def _database() -> duckdb.DuckDBPyConnection:
    import duckdb

    return duckdb.connect(":memory:", config={"threads": 1, "enable_external_access": "false"})
