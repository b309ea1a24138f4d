"""What the ledger says of clips: which are held, which are known to be gone, how much of a dataset is alive."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from itertools import chain
from typing import Any

import numpy as np

from ....shards.events import WITHDRAWN
from ....shards.hash_sets import HashSet
from ....shards.query import scan
from ....shards.store import Store, quote
from .failures import REASONS, TERMINAL

_ROWS = 50_000

Held = Callable[[Iterable[str]], set[str]]
"""Which of some sample ids the store holds."""


@dataclass(frozen=True, slots=True)
class Alive:
    """How much of a dataset could be had, as far as anybody asked.

    Attributes:
        stored: Samples in the store.
        failed: Candidates that are not, by the latest reason; withdrawn samples are not among them.
        asked_at: Time of the latest failure.
    """

    stored: int
    failed: dict[str, int] = field(default_factory=dict)
    asked_at: datetime | None = None

    @property
    def gone(self) -> int:
        """Candidates with a terminal reason."""
        return sum(count for reason, count in self.failed.items() if reason in TERMINAL)

    @property
    def share(self) -> float | None:
        """Stored of all whose fate is known (stored or gone), 0 to 1; None where nothing was asked."""
        known = self.stored + self.gone
        return self.stored / known if known else None


def read_held(store: Store, dataset: str) -> Held:
    """A function that says which ids the store holds; it knows what was there when it was made (8 bytes a row)."""
    where = f"SELECT id FROM ({_samples(store)}) WHERE dataset = {quote(dataset)}"
    rows = _rows(where) if store.live_files("samples") else iter(())
    known = HashSet(np.fromiter((hash(id_) for (id_,) in rows), dtype=np.int64))
    return lambda ids: {id_ for id_ in ids if hash(id_) in known}


def read_failures(store: Store, dataset: str) -> dict[str, str]:
    """Candidates that a pull is not to ask for again, with the reason: terminal by the latest word, or withdrawn.

    An id that failed and is stored now has not failed. The ledger keeps the first time of each reason, so a terminal
    reason that came back after another one counts by its first time.
    """
    if not store.live_files("events"):
        return {}
    latest = _rows(f"SELECT candidate, reason FROM ({_latest(store, dataset)})")
    found = {id_: reason for id_, reason in latest if reason in TERMINAL}
    removed = f"SELECT candidate FROM ({scan(store, 'events')}) WHERE dataset = {quote(dataset)} AND stage = 'remove'"
    found.update((id_, WITHDRAWN) for (id_,) in _rows(removed))
    return found


def alive(store: Store, dataset: str) -> Alive:
    """How much of a dataset is alive, from its rows and its ledger."""
    rows = f"SELECT count(*) FROM ({_samples(store)}) WHERE dataset = {quote(dataset)}"
    stored = next(_rows(rows))[0] if store.live_files("samples") else 0
    if not store.live_files("events"):
        return Alive(stored)
    counted = f"SELECT reason, count(*), max(time) FROM ({_latest(store, dataset)}) GROUP BY reason ORDER BY reason"
    found = list(_rows(counted))
    return Alive(stored, {reason: count for reason, count, _ in found}, max((time for *_, time in found), default=None))


def _latest(store: Store, dataset: str) -> str:
    """SQL: the latest reason of each candidate that no row of the dataset stands for."""
    listed = ", ".join(quote(name) for name in REASONS)
    return (
        f"SELECT candidate, arg_max(reason, time) AS reason, max(time) AS time FROM ({scan(store, 'events')}) "
        f"WHERE dataset = {quote(dataset)} AND stage = 'pull' AND reason IN ({listed}) "
        f"AND candidate NOT IN (SELECT id FROM ({_samples(store)}) WHERE dataset = {quote(dataset)}) GROUP BY candidate"
    )


def _samples(store: Store) -> str:
    return scan(store, "samples")


def _rows(sql: str) -> Iterator[tuple[Any, ...]]:
    import duckdb

    with duckdb.connect(":memory:") as connection:
        connection.execute("SET TimeZone = 'UTC'")
        batches = connection.sql(sql).to_arrow_reader(_ROWS)
        pages = (zip(*(column.to_pylist() for column in batch.columns), strict=True) for batch in batches)
        yield from chain.from_iterable(pages)
