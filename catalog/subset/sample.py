"""Which N of all candidates a draw takes.

Pass one lists every candidate (`Listing`): 8 bytes of SHA-256 of seed and id, and the number of its stratum, 8 to 16
bytes a row whatever an id is long; the draw itself holds 25 bytes a row. `Draw` ranks them: within a stratum by hash,
and the strata take turns. What is drawn hangs on ids, strata and seed alone, never on the order of the list, and N + 1
are the N and one more.

A drawn candidate that turns out dead or broken is replaced by the next of its own stratum, and by the next of all
where its stratum has no more. So the result is the draw from what is good, and what is bad need not be known before.
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
    """The first 64 bits of SHA-256 of `seed:id`, the order of every draw and of the exports."""
    digest = hashlib.sha256(f"{seed}:{identity}".encode(errors="surrogatepass")).digest()
    return int.from_bytes(digest[:8], "big")


class Listing:
    """Every candidate of a dataset, as little of each as a draw needs."""

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
        """One candidate: its sample id and the columns known before its media is read."""
        self._keys.append(hash_key(self._subset.seed, identity))
        if self._subset.strata:
            name = repr([_value(row, column) for column in self._subset.strata])
            self._strata.append(self._stratum_numbers.setdefault(name, len(self._stratum_numbers)))
        if self._subset.speakers is not None:
            speaker = row.get("speaker") or ""
            self._speakers.append(self._speaker_numbers.setdefault(speaker, len(self._speaker_numbers)))

    def draw(self) -> Draw:
        """The ranking of all that was listed.

        Raises:
            UsageError: Speakers are to be chosen, and no candidate has one.
        """
        keys = np.frombuffer(self._keys, dtype=np.uint64) if self._keys else np.empty(0, dtype=np.uint64)
        strata = np.zeros(len(keys), dtype=np.uint32)
        if self._subset.strata and len(keys):
            strata = _canonical(self._stratum_numbers)[np.frombuffer(self._strata, dtype=np.uint32)]
        if self._subset.speakers is not None and len(keys):
            mask = self._of_chosen_speakers(self._subset.speakers)
            keys, strata = keys[mask], strata[mask]
        return Draw(keys, strata)

    def _of_chosen_speakers(self, count: int) -> npt.NDArray[np.bool_]:
        seed = self._subset.seed
        names = sorted((name for name in self._speaker_numbers if name), key=lambda name: (hash_key(seed, name), name))
        if not names:
            raise UsageError(
                "--speakers: this dataset does not say who speaks.", hint="for a mixed draw without: --by hash"
            )
        numbers = [self._speaker_numbers[name] for name in names[:count]]
        chosen = np.zeros(len(self._speaker_numbers), dtype=np.bool_)
        chosen[numbers] = True
        return cast("npt.NDArray[np.bool_]", chosen[np.frombuffer(self._speakers, dtype=np.uint32)])


class Draw:
    """A ranking of candidates by their keys, and what became of those that were tried."""

    def __init__(self, keys: Keys, strata: npt.NDArray[np.uint32]) -> None:
        """`strata` numbers the stratum of every key; ids that stand twice count once, in their first stratum."""
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
        # Where the sorted keys went: the way back from a key to its row.
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
        """The store holds the sample of this key; keys that were not listed are passed over."""
        self._settle(key, _STORED, seconds)

    def note_stored(self, keys: Keys, seconds: npt.NDArray[np.float32]) -> None:
        """`stored` for many keys at once."""
        rows, found = self._find(keys)
        self._state[rows] = _STORED
        self._seconds[rows] = seconds[found]

    def fail_untried(self, keys: Keys) -> None:
        """Of these, which were tried, those that are not stored by now were tried in vain."""
        rows, _ = self._find(keys)
        rows = rows[self._state[rows] == _OPEN]
        self._state[rows] = _FAILED
        self._seconds[rows] = 0.0

    def failed(self, key: int) -> None:
        """The candidate of this key was tried in vain."""
        self._settle(key, _FAILED, 0.0)

    def measured(self, key: int, seconds: float) -> None:
        """How long the media of this key is, not stored yet."""
        self._settle(key, None, seconds)

    def wanted(self, samples: int | None = None) -> Keys:
        """Keys of the `samples` first good ones as far as is known, sorted; all without a number."""
        return cast("Keys", np.sort(self._keys[self._wanted(samples)]))

    def untried(self, samples: int | None = None, *, tries: int | None = None) -> Keys:
        """Those of `wanted` that are not stored, sorted; with `tries` as many of the best as may still be tried."""
        chosen = self._wanted(samples) & (self._state == _OPEN)
        if tries is not None:
            left = max(0, tries - int(np.count_nonzero(self._state != _OPEN)))
            ranked = self._ranking[chosen[self._ranking]]
            chosen = np.zeros_like(chosen)
            chosen[ranked[:left]] = True
        return cast("Keys", np.sort(self._keys[chosen]))

    def held(self, samples: int | None = None) -> int:
        """How many of `wanted` are stored."""
        return int(np.count_nonzero(self._wanted(samples) & (self._state == _STORED)))

    def unmeasured(self, samples: int | None) -> Keys:
        """Those of `wanted` whose length is not known, sorted."""
        return cast("Keys", np.sort(self._keys[self._wanted(samples) & np.isnan(self._seconds)]))

    def seconds(self, samples: int | None = None) -> float:
        """Seconds of `wanted`; where a length is not known, the mean of the known ones stands in."""
        return float(self._lengths()[self._wanted(samples)].sum(dtype=np.float64))

    @property
    def knows_lengths(self) -> bool:
        """Whether the length of any is known, so that the mean means something."""
        return bool(np.any((self._state != _FAILED) & ~np.isnan(self._seconds)))

    def samples_for(self, seconds: float) -> int:
        """The smallest number of samples that is at least so long; all where they are not."""
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
            # Each stratum has as many turns as it has among the first of the ranking, and fills them with good ones.
            quota = np.bincount(self._strata[self._ranking[:taken]], minlength=len(self._sizes))
            chosen = usable & (place <= quota[self._strata])
            lacking = samples - int(np.count_nonzero(chosen))
            if lacking <= 0 or taken >= len(self):
                return cast("npt.NDArray[np.bool_]", chosen)
            taken = min(len(self), taken + lacking)

    def _find(self, keys: Keys) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.bool_]]:
        """The rows of those keys that were listed, and which those are."""
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
    """Sorted keys, 8 bytes each, that can be asked for one."""

    def __init__(self, keys: Keys) -> None:
        self.keys: Keys = np.unique(keys)
        # Of a memoryview, not of an array: numpy makes an object of its own of every element that is looked at.
        self._view = memoryview(self.keys)  # type: ignore[arg-type]

    def __len__(self) -> int:
        return len(self.keys)

    def __contains__(self, key: int) -> bool:
        position = bisect_left(self._view, key)
        return position < len(self._view) and self._view[position] == key


def _rows(order: npt.NDArray[np.intp]) -> npt.NDArray[np.int32]:
    """Row numbers in half the space."""
    return order.astype(np.int32)


def _canonical(numbers: Mapping[str, int]) -> npt.NDArray[np.uint32]:
    """Number in order of appearance -> number in order of name."""
    found = np.empty(len(numbers), dtype=np.uint32)
    for rank, name in enumerate(sorted(numbers)):
        found[numbers[name]] = rank
    return found


def _value(row: Mapping[str, Any], column: str) -> Any:
    """The value of a column, or of `extra.NAME`; rows without one share a stratum."""
    if not column.startswith("extra."):
        return row.get(column)
    extra = row.get("extra") or ()
    return dict(extra).get(column.removeprefix("extra."))
