"""What was measured, decided and noted of samples: deleted with them.

A validation or an annotation that was under way while samples were removed may write a fact of them afterwards, so a
purge, which works alone, deletes facts once more.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from ..query import rows_of
from ..store.sql import quote
from ..store.store import Store

_CHUNK = 20_000
_TABLES = ("checks", "verdicts", "annotations")


def delete_facts(store: Store, dataset: str, ids: Sequence[str]) -> None:
    """Delete the measurements, verdicts and annotations of these samples; what is not there costs no commit."""
    for chunk in chunks(ids):
        for name in _TABLES:
            if holds(store, name, dataset, chunk):
                store.delete(name, dataset, chunk)


def holds(store: Store, table: str, dataset: str, ids: Sequence[str]) -> bool:
    """Whether a table has a row of any of these ids; a deletion that finds nothing would be a commit all the same."""
    listed = ", ".join(map(quote, ids))
    found = rows_of(store, table, f"SELECT 1 FROM {{}} WHERE dataset = {quote(dataset)} AND id IN ({listed}) LIMIT 1")
    return bool(found)


def chunks(rows: Sequence[Any]) -> Iterator[Any]:
    """Parts of a length that fits into one statement."""
    for start in range(0, len(rows), _CHUNK):
        yield rows[start : start + _CHUNK]
