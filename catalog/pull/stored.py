"""Queries about one dataset in a store: used many times in a pull, answered from one snapshot of the store."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from ...converters.imports.formats import FORMATS
from ...converters.ingest.quota import stored_seconds
from ...shards.hash_sets import HashMap, HashSet
from ...shards.store.snapshot import Snapshot
from ...shards.store.sql import quote
from ...shards.store.store import Store
from .history import History, read_history

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

_SECONDS = "coalesce(end_s - start_s, audio.duration - coalesce(start_s, 0), video.duration - coalesce(start_s, 0))"
"""SQL for the length of a sample; null if no header declares it."""
_UNKNOWN = f"({_SECONDS}) IS NULL AND (audio IS NOT NULL OR video IS NOT NULL)"


class StoredDataset:
    """A snapshot of one dataset in a store. Use as a context manager.

    Attributes:
        history: What earlier pulls recorded. It is read once and does not include this pull.
    """

    def __init__(self, store: Store, dataset: str) -> None:
        self.snapshot = Snapshot(store)
        self.dataset = dataset
        self._ids: dict[str, HashSet] = {}
        self._decoded: dict[str, float] = {}

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

    def imported_by(self) -> str | None:
        """Return the command of the last import that stored samples; alignments are annotations and do not count."""
        if self.snapshot.is_empty("runs"):
            return None
        rows = self.snapshot.rows(
            f"SELECT command FROM ({self.snapshot.scan('runs')}) WHERE dataset = {quote(self.dataset)} "
            "AND stage = 'import' AND kept > 0 ORDER BY finished_at DESC"
        )
        aligning = {f"import {name}" for name, format in FORMATS.items() if format.aligns}
        return next((str(command) for (command,) in rows if command not in aligning), None)

    def seconds(self, *, splits: Sequence[str] = (), configs: Sequence[str] = ()) -> float:
        """Return the total length of those samples in seconds."""
        total = self._total(f"sum({_SECONDS})", splits, configs)
        return total + sum(self._measured(*_conditions(splits, configs)).values())

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

    def draw_keys(
        self, *, seed: int, measured: bool = False
    ) -> Iterator[tuple[npt.NDArray[np.uint64], npt.NDArray[np.float32]]]:
        """Yield the draw keys of all samples for this seed, and their seconds, in batches.

        With `measured`, seconds that no header declares are found by decoding; else they are 0.
        """
        import numpy as np

        key = f"('0x' || substr(sha256('{seed}:' || id), 1, 16))::UBIGINT"
        known = f"({_SECONDS})::FLOAT" if measured else f"coalesce({_SECONDS}, 0)::FLOAT"
        lengths = self._measured() if measured else {}
        for batch in self.snapshot.batches(
            self._select(f"{key} AS key, {known} AS seconds, CASE WHEN {_UNKNOWN} THEN id END AS unknown")
        ):
            seconds = batch.column("seconds").to_numpy(zero_copy_only=False).copy()
            for place in np.flatnonzero(np.isnan(seconds)):
                seconds[place] = lengths.get(batch.column("unknown")[int(place)].as_py(), 0.0)
            yield batch.column("key").to_numpy(), seconds

    def lengths(self) -> Callable[[str], float]:
        """Return a function from sample id to seconds, which takes 16 bytes per sample; 0 if not stored."""
        lengths = HashMap()
        for identity, seconds in self._measured().items():
            lengths.put(hash(identity), round(1000 * seconds))
        columns = f"id, (1000 * greatest({_SECONDS}, 0))::UBIGINT AS length"
        for batch in self.snapshot.batches(self._select(columns, f"({_SECONDS}) IS NOT NULL")):
            for identity, length in zip(*(column.to_pylist() for column in batch.columns), strict=True):
                lengths.put(hash(identity), length)
        return lambda identity: (lengths.get(hash(identity)) or 0) / 1000

    def _measured(self, *conditions: str) -> dict[str, float]:
        """The seconds of the samples whose length no header declares, by id: each is decoded once."""
        unknown = self._select("id, audio, video, start_s", _UNKNOWN, *conditions)
        found = {}
        for identity, audio, video, start in self.snapshot.rows(unknown):
            if identity not in self._decoded:
                row = {"audio": audio, "video": video, "start_s": start}
                self._decoded[identity] = stored_seconds(row, self.snapshot.store.media)
            found[identity] = self._decoded[identity]
        return found

    def _ids_of(self, revision: str) -> HashSet:
        import numpy as np

        batches = self.snapshot.batches(self._select("id", f"revision = {quote(revision)}"))
        hashes = [np.fromiter(map(hash, batch.column("id").to_pylist()), np.int64, len(batch)) for batch in batches]
        return HashSet(np.concatenate(hashes)) if hashes else HashSet()

    def _total(self, expression: str, splits: Sequence[str], configs: Sequence[str]) -> float:
        if self.snapshot.is_empty("samples"):
            return 0.0
        rows = self.snapshot.rows(self._select(expression, *_conditions(splits, configs)))
        return float(rows[0][0] or 0)

    def _select(self, columns: str, *conditions: Any) -> str:
        where = " AND ".join([f"dataset = {quote(self.dataset)}", *conditions])
        return f"SELECT {columns} FROM ({self.snapshot.scan('samples')}) WHERE {where}"


def _conditions(splits: Sequence[str], configs: Sequence[str]) -> list[str]:
    return [
        f"{column} IN ({', '.join(map(quote, names))})"
        for column, names in (("split", splits), ("config", configs))
        if names
    ]
