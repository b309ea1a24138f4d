"""The table of events of a dataset: written once a candidate and reason, and what was withdrawn stays away.

What it holds already is kept as hashes, 8 bytes an event, and read batch by batch: a ledger of a million rejections is
no burden. It is read only when there is something to write.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import chain

import numpy as np

from ...shards.events import Note, Run, event_table
from ...shards.hash_sets import HashSet
from ...shards.query import scan
from ...shards.store.sql import quote
from ...shards.store.store import Store
from .stored_ids import fence_name

_ROWS = 50_000


class EventLog:
    """The events of one run that are still to be written, and what was written before."""

    def __init__(self, store: Store, run: Run) -> None:
        self._store = store
        self._run = run
        self._fence = fence_name(run.dataset)
        self._known = HashSet()
        self._waiting: list[Note] = []
        self._number = -1

    def __len__(self) -> int:
        """Events that wait to be written."""
        return len(self._waiting)

    @property
    def nbytes(self) -> int:
        """What it costs to know the events that were written."""
        return self._known.nbytes

    def note(self, candidate: str, reason: str, detail: str, uri: str) -> None:
        """Queue the event of a candidate that is not kept, once a candidate and reason."""
        if self._known.add(hash((candidate, reason))):
            self._waiting.append((candidate, reason, detail, uri, datetime.now(UTC)))

    def write(self) -> None:
        """Append what waits, but for what another run wrote before; the caller holds the lock of the dataset."""
        if not self._waiting:
            return
        number = self._store.fence_number("events", self._fence)
        if number != self._number:
            written = read_ledger(self._store, self._run.dataset)
            self._waiting = [each for each in self._waiting if hash(each[:2]) not in written]
            self._known.update(written)
            self._number = number
        if self._waiting:
            self._store.append("events", event_table(self._run, self._waiting), fence=(self._fence, number + 1))
            self._number = number + 1
            self._waiting = []


def read_ledger(store: Store, dataset: str) -> HashSet:
    """Hashes of the (candidate, reason) pairs that the ledger of pulls and imports holds already."""
    where = f"dataset = {quote(dataset)} AND stage IN ('pull', 'import')"
    return _hash_set(map(hash, zip(*columns, strict=True)) for columns in _read(store, ("candidate", "reason"), where))


def read_withdrawn(store: Store, dataset: str) -> HashSet:
    """Hashes of the ids that were removed on request."""
    where = f"dataset = {quote(dataset)} AND stage = 'remove'"
    return _hash_set(map(hash, names) for (names,) in _read(store, ("candidate",), where))


def _hash_set(batches: Iterator[Iterator[int]]) -> HashSet:
    return HashSet(np.fromiter(chain.from_iterable(batches), dtype=np.int64))


def _read(store: Store, columns: tuple[str, ...], where: str) -> Iterator[list[list[str]]]:
    """The columns of the events, some thousand at a time."""
    if not store.live_files("events"):
        return
    import duckdb

    with duckdb.connect(":memory:") as connection:
        relation = connection.sql(f"SELECT {', '.join(columns)} FROM ({scan(store, 'events')}) WHERE {where}")
        for batch in relation.to_arrow_reader(_ROWS):
            yield [batch.column(name).to_pylist() for name in columns]
