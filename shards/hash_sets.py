"""Sets and maps of 64-bit hashes that stay small for millions of rows: 8 bytes per hash in a set, 16 in a map.

Python's own set needs about 100 bytes per hash. New hashes collect in a small set or dict, which is merged into a
sorted array when it is full; a lookup is one probe of the small one and one bisection. Two names have the same hash
about once in ten million runs of a million rows each; callers must be able to accept that.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable

import numpy as np

SETTLE_AT = 65_536
"""The number of new hashes after which they are merged; until then they take a few megabytes."""


class HashSet:
    """A set of signed 64-bit integers, as `hash()` makes them."""

    __slots__ = ("_keys", "_recent", "_view")

    def __init__(self, keys: np.ndarray | None = None) -> None:
        self._recent: set[int] = set()
        self._replace(np.empty(0, dtype=np.int64) if keys is None else np.unique(keys))

    def __contains__(self, key: int) -> bool:
        return key in self._recent or (len(self._keys) > 0 and _index_of(self._view, key) >= 0)

    def __len__(self) -> int:
        return len(self._keys) + len(self._recent)

    @property
    def nbytes(self) -> int:
        """Size of the sorted array; the few hashes not yet merged are not counted."""
        return self._keys.nbytes

    def add(self, key: int) -> bool:
        """Add a key; return whether it is new."""
        if key in self:
            return False
        self._recent.add(key)
        if len(self._recent) >= SETTLE_AT:
            self._merge()
        return True

    def update(self, others: HashSet) -> None:
        """Add all keys of another set."""
        self._recent |= others._recent
        self._merge()
        self._replace(np.union1d(self._keys, others._keys))

    def clear(self) -> None:
        self._recent = set()
        self._replace(np.empty(0, dtype=np.int64))

    def _merge(self) -> None:
        fresh = np.fromiter(self._recent, dtype=np.int64, count=len(self._recent))
        self._recent = set()
        fresh.sort()
        places, held = _insertion_points(self._keys, fresh)
        self._replace(np.insert(self._keys, places[~held], fresh[~held]))

    def _replace(self, keys: np.ndarray) -> None:
        self._keys, self._view = keys, keys.data


class HashMap:
    """A map from signed 64-bit integers to unsigned ones; the latest value of a key replaces earlier ones."""

    __slots__ = ("_keys", "_recent", "_values", "_view")

    def __init__(self) -> None:
        self._recent: dict[int, int] = {}
        self._replace(np.empty(0, dtype=np.int64), np.empty(0, dtype=np.uint64))

    def __len__(self) -> int:
        """Number of keys; a key with a new value that is not yet merged counts twice."""
        return len(self._keys) + len(self._recent)

    @property
    def nbytes(self) -> int:
        """Size of the sorted arrays; the few entries not yet merged are not counted."""
        return self._keys.nbytes + self._values.nbytes

    def get(self, key: int) -> int | None:
        found = self._recent.get(key)
        if found is not None:
            return found
        place = _index_of(self._view, key)
        return int(self._values[place]) if place >= 0 else None

    def put(self, key: int, value: int) -> None:
        self._recent[key] = value
        if len(self._recent) >= SETTLE_AT:
            self._merge()

    def load(self, keys: Iterable[np.ndarray], values: Iterable[np.ndarray]) -> None:
        """Replace the content with these keys and values."""
        all_keys = np.concatenate([np.empty(0, dtype=np.int64), *keys])
        all_values = np.concatenate([np.empty(0, dtype=np.uint64), *values])
        order = np.argsort(all_keys, kind="stable")
        self._recent = {}
        self._replace(all_keys[order], all_values[order])

    def _merge(self) -> None:
        fresh = np.fromiter(self._recent.keys(), dtype=np.int64, count=len(self._recent))
        values = np.fromiter(self._recent.values(), dtype=np.uint64, count=len(self._recent))
        self._recent = {}
        order = np.argsort(fresh)
        fresh, values = fresh[order], values[order]
        places, held = _insertion_points(self._keys, fresh)
        self._values[places[held]] = values[held]
        self._replace(
            np.insert(self._keys, places[~held], fresh[~held]),
            np.insert(self._values, places[~held], values[~held]),
        )

    def _replace(self, keys: np.ndarray, values: np.ndarray) -> None:
        self._keys, self._values, self._view = keys, values, keys.data


def _index_of(keys: memoryview, key: int) -> int:
    """Return the index of a key among sorted ones, or -1."""
    # bisect over a memoryview instead of searchsorted: for one key, numpy's overhead exceeds the search.
    place = bisect_left(keys, key)
    return place if place < len(keys) and keys[place] == key else -1


def _insertion_points(keys: np.ndarray, fresh: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return where sorted `fresh` keys belong among sorted `keys`, and which of them are already present."""
    places = np.searchsorted(keys, fresh)
    held = np.zeros(len(fresh), dtype=bool)
    inside = places < len(keys)
    held[inside] = keys[places[inside]] == fresh[inside]
    return places, held
