"""A store on disk: Delta tables and the code that reads and writes them.

store.py           a store: creating, opening, committing
commits.py         commits that other writers get in the way of
creation.py        making a store, and telling one half made from a damaged one
tables.py          the schemas of the six tables
rows_to_arrow.py   rows as Arrow tables
lock.py            locks that record their holder
use.py             many users of a store, or one that is alone
damage.py          errors of libraries over damaged files, as errors that name the file
database.py        the process's own DuckDB, for the package's queries
session.py         one command's work in a store
snapshot.py        a read-only view of a store that opens each table once
table_cache.py     tables that the process has read already
annotations.py     SQL that applies later facts to the samples
sql.py             SQL quoting, and the first row of a result
views.py           the SQL that reads the tables
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .store import Store

__all__ = ["Store"]


def __getattr__(name: str) -> Any:
    if name != "Store":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from .store import Store

    return Store
