"""Draws: which N of all candidates to take.

The first pass lists every candidate (`Listing`) as 8 bytes of SHA-256 of seed and id plus a stratum number: 8 to 16
bytes per row, however long the ids are; the draw itself takes 25 bytes per row. `Draw` ranks the candidates: by hash
within a stratum, and round-robin over the strata. The result depends only on ids, strata and seed, never on the order
of the list, and a draw of N + 1 is the draw of N plus one more.

A drawn candidate that turns out missing or broken is replaced by the next one of its stratum, or by the next one
overall if its stratum has no more. So the result equals a draw from the good candidates only.
"""

from __future__ import annotations

import hashlib
from array import array
from bisect import bisect_left
from collections.abc import Mapping
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from ...errors import UsageError
from .options import Subset

Keys = npt.NDArray[np.uint64]
_OPEN, _STORED, _FAILED = 0, 1, 2
GUESSED_SECONDS = 10.0


def hash_key(seed: int, identity: str) -> int:
    """Return the first 64 bits of SHA-256 of `seed:id`, which define the order of every draw and of the exports."""
    digest = hashlib.sha256(f"{seed}:{identity}".encode(errors="surrogatepass")).digest()
    return int.from_bytes(digest[:8], "big")


class Listing:
    """All candidates of a dataset, in the compact form that a draw needs."""

    def __init__(self, subset: Subset) -> None:
        self._subset = subset
        self._keys = array("Q")
        self._strata = array("I")
        self._speakers = array("I")
        self._stratum_numbers: dict[str, int] = {}
        self._speaker_numbers: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._keys)

    def add(self, identity: str, row: Mapping[str, Any]) -> None:
        """Add one candidate by its sample id and the columns known before its media is read."""
        self._keys.append(hash_key(self._subset.seed, identity))
        if self._subset.strata:
            name = repr([_value(row, column) for column in self._subset.strata])
            self._strata.append(self._stratum_numbers.setdefault(name, len(self._stratum_numbers)))
        if self._subset.speakers is not None:
            speaker = row.get("speaker") or ""
            self._speakers.append(self._speaker_numbers.setdefault(speaker, len(self._speaker_numbers)))

    def draw(self) -> Draw:
        """Rank the listed candidates.

        Raises:
            UsageError: Speakers must be chosen, and no candidate has one.
        """
        keys = np.frombuffer(self._keys, dtype=np.uint64) if self._keys else np.empty(0, dtype=np.uint64)
        strata = np.zeros(len(keys), dtype=np.uint32)
        if self._subset.strata and len(keys):
            strata = _canonical(self._stratum_numbers)[np.frombuffer(self._strata, dtype=np.uint32)]
        if self._subset.speakers is not None and len(keys):
            mask = self._has_chosen_speaker(self._subset.speakers)
            keys, strata = keys[mask], strata[mask]
        return Draw(keys, strata)

    def _has_chosen_speaker(self, count: int) -> npt.NDArray[np.bool_]:
        seed = self._subset.seed
        names = sorted((name for name in self._speaker_numbers if name), key=lambda name: (hash_key(seed, name), name))
        if not names:
            raise UsageError(
                "--speakers: this dataset has no speaker labels.", hint="for a random draw without speakers: --by hash"
            )
        numbers = [self._speaker_numbers[name] for name in names[:count]]
        chosen = np.zeros(len(self._speaker_numbers), dtype=np.bool_)
        chosen[numbers] = True
        return cast("npt.NDArray[np.bool_]", chosen[np.frombuffer(self._speakers, dtype=np.uint32)])


class Draw:
    """A ranking of candidates by their keys, and the outcome of those that were tried."""

    def __init__(self, keys: Keys, strata: npt.NDArray[np.uint32]) -> None:
        """`strata` is the stratum number of every key; duplicate ids count once, in their first stratum."""
        order = np.lexsort((strata, keys))
        keys, strata = keys[order], strata[order]
        del order
        if np.any(again := keys[1:] == keys[:-1]):
            first = np.concatenate(([True], ~again))
            keys, strata = keys[first], strata[first]
        del again
        self._sizes = np.bincount(strata) if len(keys) else np.zeros(1, dtype=np.int64)
        self._starts = np.cumsum(self._sizes) - self._sizes
        by_stratum = _rows(np.argsort(strata, kind="stable"))
        self._keys: Keys = keys[by_stratum]
        self._strata = strata[by_stratum].astype(np.int32)
        # The permutation from sorted keys to rows, to find the row of a key.
        self._by_key = np.empty_like(by_stratum)
        self._by_key[by_stratum] = np.arange(len(keys), dtype=by_stratum.dtype)
        del keys, strata, by_stratum
        turn = np.arange(len(self), dtype=np.int32) - self._starts[self._strata].astype(np.int32)
        self._ranking = _rows(np.lexsort((self._keys, turn)))
        self._state = np.zeros(len(self), dtype=np.uint8)
        self._seconds = np.full(len(self), np.nan, dtype=np.float32)

    def __len__(self) -> int:
        return len(self._keys)

    def __contains__(self, key: int) -> bool:
        return bool(len(self._find(np.array([key], dtype=np.uint64))[0]))

    def stored(self, key: int, seconds: float | None = None) -> None:
        """Mark the sample of this key as stored; keys that were not listed are ignored."""
        self._settle(key, _STORED, seconds)

    def note_stored(self, keys: Keys, seconds: npt.NDArray[np.float32]) -> None:
        """Like `stored`, for many keys at once."""
        rows, found = self._find(keys)
        self._state[rows] = _STORED
        self._seconds[rows] = seconds[found]

    def fail_untried(self, keys: Keys) -> None:
        """Mark the keys that are still open as failed: they were tried and are not stored."""
        rows, _ = self._find(keys)
        rows = rows[self._state[rows] == _OPEN]
        self._state[rows] = _FAILED
        self._seconds[rows] = 0.0

    def failed(self, key: int) -> None:
        """Mark the candidate of this key as failed."""
        self._settle(key, _FAILED, 0.0)

    def measured(self, key: int, seconds: float) -> None:
        """Record the length of the media of this key, before it is stored."""
        self._settle(key, None, seconds)

    def wanted(self, samples: int | None = None) -> Keys:
        """Return the sorted keys of the first `samples` usable candidates, as far as is known; default: all."""
        return cast("Keys", np.sort(self._keys[self._wanted(samples)]))

    def untried(self, samples: int | None = None, *, tries: int | None = None) -> Keys:
        """Return the sorted keys of `wanted` that were not tried; with `tries`, the best ones within that budget."""
        chosen = self._wanted(samples) & (self._state == _OPEN)
        if tries is not None:
            left = max(0, tries - int(np.count_nonzero(self._state != _OPEN)))
            ranked = self._ranking[chosen[self._ranking]]
            chosen = np.zeros_like(chosen)
            chosen[ranked[:left]] = True
        return cast("Keys", np.sort(self._keys[chosen]))

    def held(self, samples: int | None = None) -> int:
        """Return how many of `wanted` are stored."""
        return int(np.count_nonzero(self._wanted(samples) & (self._state == _STORED)))

    def unmeasured(self, samples: int | None) -> Keys:
        """Return the sorted keys of `wanted` whose length is unknown."""
        return cast("Keys", np.sort(self._keys[self._wanted(samples) & np.isnan(self._seconds)]))

    def seconds(self, samples: int | None = None) -> float:
        """Return the total seconds of `wanted`; an unknown length counts as the mean of the known ones."""
        return float(self._lengths()[self._wanted(samples)].sum(dtype=np.float64))

    @property
    def knows_lengths(self) -> bool:
        """Whether at least one length is known, so that the mean is meaningful."""
        return bool(np.any((self._state != _FAILED) & ~np.isnan(self._seconds)))

    def samples_for(self, seconds: float) -> int:
        """Return the smallest number of samples with at least this many seconds; all if there are not enough."""
        low, high = 0, len(self)
        while low < high:
            middle = (low + high) // 2
            if self.seconds(middle) >= seconds:
                high = middle
            else:
                low = middle + 1
        return low

    def _lengths(self) -> npt.NDArray[np.float32]:
        known = self._seconds[(self._state != _FAILED) & ~np.isnan(self._seconds)]
        mean = float(known.mean(dtype=np.float64)) if len(known) else GUESSED_SECONDS
        return np.where(np.isnan(self._seconds), np.float32(mean), self._seconds)

    def _wanted(self, samples: int | None) -> npt.NDArray[np.bool_]:
        usable = self._state != _FAILED
        if samples is None or samples >= len(self):
            return cast("npt.NDArray[np.bool_]", usable)
        before = np.cumsum(usable, dtype=np.int32)
        base = np.where(self._starts > 0, before[self._starts - 1], 0).astype(np.int32)
        place = before - base[self._strata]
        taken = samples
        while True:
            # The quota of a stratum is its count among the first `taken` ranks; it is filled with usable candidates.
            quota = np.bincount(self._strata[self._ranking[:taken]], minlength=len(self._sizes))
            chosen = usable & (place <= quota[self._strata])
            missing = samples - int(np.count_nonzero(chosen))
            if missing <= 0 or taken >= len(self):
                return cast("npt.NDArray[np.bool_]", chosen)
            taken = min(len(self), taken + missing)

    def _find(self, keys: Keys) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.bool_]]:
        """Return the rows of the listed keys, and a mask of which keys were listed."""
        places = np.searchsorted(self._keys, keys, sorter=self._by_key)
        found = places < len(self)
        found[found] = self._keys[self._by_key[places[found]]] == keys[found]
        return self._by_key[places[found]].astype(np.intp), found

    def _settle(self, key: int, state: int | None, seconds: float | None) -> None:
        rows, _ = self._find(np.array([key], dtype=np.uint64))
        if state is not None:
            self._state[rows] = state
        if seconds is not None:
            self._seconds[rows] = seconds


class KeySet:
    """A set of sorted keys, 8 bytes each."""

    def __init__(self, keys: Keys) -> None:
        self.keys: Keys = np.unique(keys)
        # A memoryview, as indexing a numpy array creates a numpy scalar for every element.
        self._view = memoryview(self.keys)  # type: ignore[arg-type]

    def __len__(self) -> int:
        return len(self.keys)

    def __contains__(self, key: int) -> bool:
        position = bisect_left(self._view, key)
        return position < len(self._view) and self._view[position] == key


def _rows(order: npt.NDArray[np.intp]) -> npt.NDArray[np.int32]:
    """Return row numbers as 32-bit integers, to halve the memory."""
    return order.astype(np.int32)


def _canonical(numbers: Mapping[str, int]) -> npt.NDArray[np.uint32]:
    """Map numbers by order of appearance to numbers by order of name."""
    found = np.empty(len(numbers), dtype=np.uint32)
    for rank, name in enumerate(sorted(numbers)):
        found[numbers[name]] = rank
    return found


def _value(row: Mapping[str, Any], column: str) -> Any:
    """Return the value of a column or of `extra.NAME`; rows without a value share a stratum."""
    if not column.startswith("extra."):
        return row.get(column)
    extra = row.get("extra") or ()
    return dict(extra).get(column.removeprefix("extra."))
