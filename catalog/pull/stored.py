"""Queries about one dataset in a store: used many times in a pull, answered from one snapshot of the store."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from ...shards.hash_sets import HashMap, HashSet
from ...shards.store.snapshot import Snapshot
from ...shards.store.sql import quote
from ...shards.store.store import Store
from .history import History, read_history

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

_SECONDS = "coalesce(end_s - start_s, audio.duration - coalesce(start_s, 0), video.duration - coalesce(start_s, 0), 0)"


class StoredDataset:
    """A snapshot of one dataset in a store. Use as a context manager.

    Attributes:
        history: What earlier pulls recorded. It is read once and does not include this pull.
    """

    def __init__(self, store: Store, dataset: str) -> None:
        self.snapshot = Snapshot(store)
        self.dataset = dataset
        self._ids: dict[str, HashSet] = {}

    def __enter__(self) -> StoredDataset:
        return self

    def __exit__(self, *_: object) -> None:
        self.snapshot.close()

    def refresh(self) -> None:
        """Take a new snapshot, after this pull has committed something."""
        self.snapshot.refresh()
        self._ids.clear()

    @cached_property
    def history(self) -> History:
        return read_history(self.snapshot, self.dataset)

    def count(self, *, splits: Sequence[str] = (), configs: Sequence[str] = ()) -> int:
        """Return the number of samples; default: of all splits and configurations."""
        return int(self._total("count(*)", splits, configs))

    def seconds(self, *, splits: Sequence[str] = (), configs: Sequence[str] = ()) -> float:
        """Return the total length of those samples in seconds."""
        return self._total(f"sum({_SECONDS})", splits, configs)

    def speakers(self, *, splits: Sequence[str] = (), configs: Sequence[str] = ()) -> int | None:
        """Return the number of speakers of those samples; None if one of them has no speaker."""
        if self._total("count(*) - count(speaker)", splits, configs):
            return None
        return int(self._total("count(DISTINCT speaker)", splits, configs))

    def has_all(self, ids: Sequence[str], revision: str) -> bool:
        """Whether all of these ids are stored at this revision; caches 8 bytes per row for later calls."""
        if revision not in self._ids:
            # A pull may run for days: files of the old snapshot may have been deleted.
            self.snapshot.refresh()
            self._ids[revision] = self._ids_of(revision)
        known = self._ids[revision]
        return all(hash(identity) in known for identity in ids)

    def draw_keys(self, *, seed: int) -> Iterator[tuple[npt.NDArray[np.uint64], npt.NDArray[np.float32]]]:
        """Yield the draw keys of all samples for this seed, and their seconds, in batches."""
        key = f"('0x' || substr(sha256('{seed}:' || id), 1, 16))::UBIGINT"
        for batch in self.snapshot.batches(self._select(f"{key} AS key, ({_SECONDS})::FLOAT AS seconds")):
            yield batch.column("key").to_numpy(), batch.column("seconds").to_numpy()

    def lengths(self) -> Callable[[str], float]:
        """Return a function from sample id to seconds, which takes 16 bytes per sample; 0 if not stored."""
        lengths = HashMap()
        for batch in self.snapshot.batches(self._select(f"id, (1000 * greatest({_SECONDS}, 0))::UBIGINT AS length")):
            for identity, length in zip(*(column.to_pylist() for column in batch.columns), strict=True):
                lengths.put(hash(identity), length)
        return lambda identity: (lengths.get(hash(identity)) or 0) / 1000

    def _ids_of(self, revision: str) -> HashSet:
        import numpy as np

        batches = self.snapshot.batches(self._select("id", f"revision = {quote(revision)}"))
        hashes = [np.fromiter(map(hash, batch.column("id").to_pylist()), np.int64, len(batch)) for batch in batches]
        return HashSet(np.concatenate(hashes)) if hashes else HashSet()

    def _total(self, expression: str, splits: Sequence[str], configs: Sequence[str]) -> float:
        conditions = [f"{column} IN ({', '.join(map(quote, names))})"
                      for column, names in (("split", splits), ("config", configs)) if names]  # fmt: skip
        rows = self.snapshot.rows(self._select(expression, *conditions))
        return float(rows[0][0] or 0)

    def _select(self, columns: str, *conditions: Any) -> str:
        where = " AND ".join([f"dataset = {quote(self.dataset)}", *conditions])
        return f"SELECT {columns} FROM ({self.snapshot.scan('samples')}) WHERE {where}"
