"""The process's own DuckDB, which reads no files: it parses views, and makes rows of samples in memory.

Opening DuckDB and creating the macros of views take longer than making a few rows, so both are done once. Whatever
depends on a request is temporary and belongs to the connection of that request.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ...shards.store.database import lasting
from .base import ViewOptions
from .prepare import create_macros, create_prompts, option_macros

if TYPE_CHECKING:
    import duckdb

_SETTINGS: Mapping[str, str | bool | int] = {"threads": 1, "enable_external_access": "false"}


@contextmanager
def parser() -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection that parses SQL."""
    with lasting("views", _SETTINGS).cursor() as connection:
        yield connection


def connect(options: ViewOptions) -> duckdb.DuckDBPyConnection:
    """A connection with the macros of views, those of the options, and the tables of prompts."""
    connection = lasting("views", _SETTINGS, prepare=_prepare).cursor()
    connection.execute(option_macros(options))
    return connection


def _prepare(database: duckdb.DuckDBPyConnection) -> None:
    create_macros(database, ViewOptions())  # macros that use an option can be created only while it exists
    create_prompts(database)
