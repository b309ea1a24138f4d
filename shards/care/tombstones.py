"""Tombstones: what was withdrawn and must not come back, read from the table `events` (stage `remove`).

    candidate                 uri
    d/train/1                 sha256:<media> ...     a sample, and its media that no remaining sample named
    speaker:<sha256>                                 a speaker of the dataset, where that was asked for

An id and a speaker are refused in their own dataset, media in every dataset: the same recording under another name is
the same recording. `store restore` and `store remove --forget` take tombstones away.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator

from ..hash_sets import HashMap, HashSet
from ..query import rows_of, scan
from ..store.database import session
from ..store.sql import quote
from ..store.store import Store

STAGE = "remove"
DETAIL = "withdrawn by `store remove`"
TOMBSTONE = "removed on request; `store remove` left a tombstone"
_SHA = "sha256:"
_ROWS = 50_000


class Tombstones:
    """What may not enter a dataset, in memory as 64-bit hashes.

    Attributes:
        owners: The datasets from which what was refused so far had been removed.
    """

    def __init__(self, dataset: str) -> None:
        self.owners: set[str] = set()
        self._dataset = dataset
        self._names = HashSet()
        self._media = HashMap()
        self._datasets: list[str] = []

    def __len__(self) -> int:
        """Number of ids and speakers."""
        return len(self._names)

    def has_id(self, identity: str) -> bool:
        found = hash(identity) in self._names
        if found:
            self.owners.add(self._dataset)
        return found

    def refuse(self, identity: str, speaker: str | None) -> str | None:
        """Say why a sample may not be stored: it was withdrawn, or its speaker was; None if it may."""
        if not self:
            return None
        if self.has_id(identity):
            return TOMBSTONE
        if speaker and self.has_id(speaker_name(str(speaker))):
            return "this speaker was removed on request; `store remove --block-speakers` left a tombstone"
        return None

    def refuse_media(self, digest: str) -> str | None:
        """Say why this media may not be stored: it was withdrawn, here or from another dataset."""
        index = self._media.get(hash(digest)) if self._datasets else None
        if index is None:
            return None
        owner = self._datasets[index]
        self.owners.add(owner)
        return (
            f"the same media was removed on request from {owner}; to allow it again: triptych store restore {owner}, "
            f"or after a purge: triptych store remove {owner} --forget"
        )

    @classmethod
    def read(cls, store: Store, dataset: str) -> Tombstones:
        """Read the tombstones that concern a dataset."""
        import numpy as np

        found = cls(dataset)
        if not store.has_rows("events"):
            return found
        names: list[int] = []
        keys: list[int] = []
        values: list[int] = []
        for owner, candidate, uri in _rows(store, "true"):
            if owner == dataset:
                names.append(hash(candidate))
            for digest in media_of(uri):
                if owner not in found._datasets:
                    found._datasets.append(owner)
                keys.append(hash(digest))
                values.append(found._datasets.index(owner))
        found._names = HashSet(np.fromiter(names, dtype=np.int64))
        found._media.load([np.array(keys, dtype=np.int64)], [np.array(values, dtype=np.uint64)])
        return found


def speaker_name(speaker: str) -> str:
    """The candidate of a speaker's tombstone: a checksum, because the name itself was withdrawn."""
    return "speaker:" + hashlib.sha256(speaker.encode("utf-8", "surrogatepass")).hexdigest()


def media_text(digests: Iterable[str]) -> str:
    return " ".join(_SHA + digest for digest in digests)


def media_of(uri: str | None) -> list[str]:
    return [part.removeprefix(_SHA) for part in (uri or "").split() if part.startswith(_SHA)]


def withdrawn_ids(store: Store, datasets: Iterable[str]) -> dict[str, list[str]]:
    """The ids that were withdrawn from these datasets, by dataset; speakers are left out."""
    listed = ", ".join(map(quote, datasets))
    found: dict[str, list[str]] = {}
    if listed and store.has_rows("events"):
        for dataset, candidate, _ in _rows(store, f"dataset IN ({listed}) AND candidate NOT LIKE 'speaker:%'"):
            found.setdefault(dataset, []).append(candidate)
    return {dataset: sorted(set(ids)) for dataset, ids in sorted(found.items())}


def datasets_with_tombstones(store: Store) -> list[str]:
    rows = rows_of(store, "events", f"SELECT DISTINCT dataset FROM {{}} WHERE stage = '{STAGE}' ORDER BY 1")
    return [str(dataset) for (dataset,) in rows]


def lift(store: Store, dataset: str, ids: Iterable[str] | None) -> None:
    """Delete the tombstones of these ids of a dataset, or all of them, those of speakers included."""
    predicate = f"dataset = {quote(dataset)} AND stage = '{STAGE}'"
    if ids is None:
        store.delete_where("events", predicate)
        return
    listed = sorted(ids)
    for start in range(0, len(listed), _ROWS):
        chunk = ", ".join(map(quote, listed[start : start + _ROWS]))
        store.delete_where("events", f"{predicate} AND candidate IN ({chunk})")


def _rows(store: Store, where: str) -> Iterator[tuple[str, str, str]]:

    with session() as connection:
        relation = connection.sql(
            f"SELECT dataset, candidate, uri FROM ({scan(store, 'events')}) WHERE stage = '{STAGE}' AND {where}"
        )
        for batch in relation.to_arrow_reader(_ROWS):
            yield from zip(*(column.to_pylist() for column in batch.columns), strict=True)
