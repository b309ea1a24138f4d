"""The event log of a dataset: one event per candidate and reason.

Logged events are remembered as hashes (8 bytes each) and read in batches, so that a log of a million rejections costs
little memory. The log is read only when there is something to write.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import chain

import numpy as np

from ...shards.events import Note, Run, event_table
from ...shards.hash_sets import HashSet
from ...shards.query import scan
from ...shards.store.database import session
from ...shards.store.sql import quote
from ...shards.store.store import Store
from ...shards.text import encodable
from .stored_ids import fence_name

_ROWS = 50_000
_INGEST = ("pull", "import")


class EventLog:
    """Queues the events of one run and writes those that are not in the log yet."""

    def __init__(self, store: Store, run: Run) -> None:
        self._store = store
        self._run = run
        self._fence = fence_name(run.dataset)
        self._known = HashSet()
        self._queued: list[Note] = []
        self._number = -1

    def __len__(self) -> int:
        """Number of queued events."""
        return len(self._queued)

    @property
    def nbytes(self) -> int:
        """Memory used by the hashes of known events."""
        return self._known.nbytes

    def note(self, candidate: str, reason: str, detail: str, uri: str) -> None:
        """Queue the event of a candidate that is not stored, once per candidate and reason."""
        candidate = encodable(candidate)  # as it is read back from the log
        if self._known.add(hash((candidate, reason))):
            self._queued.append((candidate, reason, encodable(detail), encodable(uri), datetime.now(UTC)))

    def write(self) -> None:
        """Append the queued events, except those already logged by other runs; the caller holds the dataset lock."""
        if not self._queued:
            return
        number = self._store.fence_number("events", self._fence)
        if number != self._number:
            logged = read_logged(self._store, self._run.dataset, self._run.stage)
            self._queued = [note for note in self._queued if hash(note[:2]) not in logged]
            self._known.update(logged)
            self._number = number
        if self._queued:
            self._store.append("events", event_table(self._run, self._queued), fence=(self._fence, number + 1))
            self._number = number + 1
            self._queued = []


def read_logged(store: Store, dataset: str, stage: str = "pull") -> HashSet:
    """Hashes of the (candidate, reason) pairs already logged by a stage; pulls and imports are one."""
    stages = _INGEST if stage in _INGEST else (stage,)
    where = f"dataset = {quote(dataset)} AND stage IN ({', '.join(map(quote, stages))})"
    return _hash_set(map(hash, zip(*columns, strict=True)) for columns in _read(store, ("candidate", "reason"), where))


def _hash_set(batches: Iterator[Iterator[int]]) -> HashSet:
    return HashSet(np.fromiter(chain.from_iterable(batches), dtype=np.int64))


def _read(store: Store, columns: tuple[str, ...], where: str) -> Iterator[list[list[str]]]:
    """Yield the given columns of the matching events in batches."""
    if not store.live_files("events"):
        return
    with session() as connection:
        relation = connection.sql(f"SELECT {', '.join(columns)} FROM ({scan(store, 'events')}) WHERE {where}")
        for batch in relation.to_arrow_reader(_ROWS):
            yield [batch.column(name).to_pylist() for name in columns]
