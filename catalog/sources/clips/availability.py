"""Clips in the event log: which are stored, which are known to be gone, how much of a dataset is still available."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import numpy as np

from ....shards.events import WITHDRAWN
from ....shards.hash_sets import HashSet
from ....shards.store.snapshot import Snapshot
from ....shards.store.sql import quote
from ....shards.store.store import Store
from .failures import REASONS, TERMINAL

_ROWS = 50_000

Held = Callable[[Iterable[str]], set[str]]
"""Returns those of the given sample ids that are in the store."""


@dataclass(frozen=True, slots=True)
class Alive:
    """How much of a dataset is available, as far as its clips were requested.

    Attributes:
        stored: Samples in the store.
        failed: Number of candidates not in the store, by their latest reason; withdrawn samples are not counted.
        asked_at: Time of the latest failure.
    """

    stored: int
    failed: dict[str, int] = field(default_factory=dict)
    asked_at: datetime | None = None

    @property
    def gone(self) -> int:
        """Number of candidates with a terminal reason."""
        return sum(count for reason, count in self.failed.items() if reason in TERMINAL)

    @property
    def share(self) -> float | None:
        """Stored / (stored + gone), 0 to 1; None if neither is known of any clip."""
        known = self.stored + self.gone
        return self.stored / known if known else None


def read_held(snapshot: Snapshot, dataset: str) -> Held:
    """Return a function that finds the ids in the store, as of this snapshot (8 bytes of memory per row)."""
    sql = f"SELECT id FROM ({snapshot.scan('samples')}) WHERE dataset = {quote(dataset)}"
    rows = _rows(snapshot, sql) if not snapshot.is_empty("samples") else iter(())
    known = HashSet(np.fromiter((hash(id_) for (id_,) in rows), dtype=np.int64))
    return lambda ids: {id_ for id_ in ids if hash(id_) in known}


def read_failures(snapshot: Snapshot, dataset: str) -> dict[str, str]:
    """Return the candidates that a pull must not request again, with the reason: the latest is terminal, or withdrawn.

    An id that failed but is stored now does not count. The event log keeps the first time of each reason, so a terminal
    reason that recurred after another one counts by its first time.
    """
    if snapshot.is_empty("events"):
        return {}
    latest = _rows(snapshot, f"SELECT candidate, reason FROM ({_latest(snapshot, dataset)})")
    found = {id_: reason for id_, reason in latest if reason in TERMINAL}
    events = snapshot.scan("events")
    removed = f"SELECT candidate FROM ({events}) WHERE dataset = {quote(dataset)} AND stage = 'remove'"
    found.update((id_, WITHDRAWN) for (id_,) in _rows(snapshot, removed))
    return found


def alive(store: Store, dataset: str) -> Alive:
    """Return how much of a dataset is available, from its rows and its events."""
    with Snapshot(store) as snapshot:
        rows = f"SELECT count(*) FROM ({snapshot.scan('samples')}) WHERE dataset = {quote(dataset)}"
        stored = snapshot.rows(rows)[0][0]
        if snapshot.is_empty("events"):
            return Alive(stored)
        latest = _latest(snapshot, dataset)
        counted = f"SELECT reason, count(*), max(time) FROM ({latest}) GROUP BY reason ORDER BY reason"
        found = list(_rows(snapshot, counted))
    return Alive(stored, {reason: count for reason, count, _ in found}, max((time for *_, time in found), default=None))


def _latest(snapshot: Snapshot, dataset: str) -> str:
    """SQL: the latest reason of each candidate that is not a row of the dataset."""
    listed = ", ".join(quote(name) for name in REASONS)
    stored = f"SELECT id FROM ({snapshot.scan('samples')}) WHERE dataset = {quote(dataset)}"
    return (
        f"SELECT candidate, arg_max(reason, time) AS reason, max(time) AS time FROM ({snapshot.scan('events')}) "
        f"WHERE dataset = {quote(dataset)} AND stage = 'pull' AND reason IN ({listed}) "
        f"AND candidate NOT IN ({stored}) GROUP BY candidate"
    )


def _rows(snapshot: Snapshot, sql: str) -> Iterator[tuple[Any, ...]]:
    for batch in snapshot.batches(sql, _ROWS):
        yield from zip(*(column.to_pylist() for column in batch.columns), strict=True)
