"""When a pull has enough: so many samples, or so many hours, in the order in which they come.

Samples are counted by their ids, each once. What the store holds already counts beforehand (`held`), or, where only
some samples of a dataset are asked for, when the stream meets it again (`count_known`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ...shards.hash_sets import HashSet

_CAREFUL = 4
"""Media on its way may be so many times longer than the longest that was met: then it is waited for."""


class Quota:
    """Counts what is stored and what is on its way.

    Attributes:
        samples, seconds: What counts towards the limits, `held` included.
    """

    def __init__(
        self,
        *,
        limit: int | None = None,
        limit_seconds: float | None = None,
        held: int = 0,
        held_seconds: float = 0.0,
        count_known: bool = False,
    ) -> None:
        self.samples = held
        self.seconds = held_seconds
        self.count_known = count_known
        self._limit = limit
        self._limit_seconds = limit_seconds
        self._promised = 0
        self._longest = 0.0
        self._counted = HashSet()

    def counts(self, identity: str, *, is_known: bool) -> bool:
        """Whether a candidate of this id would be one more; `is_known` says that the store holds it."""
        return hash(identity) not in self._counted and (self.count_known or not is_known)

    def promise(self, count: bool) -> None:
        """A candidate that counts is on its way."""
        self._promised += count

    def release(self, count: bool) -> None:
        """It came, or it never will."""
        self._promised -= count

    def take(self, identity: str, row: Mapping[str, Any]) -> None:
        """Count a sample that came."""
        if self._counted.add(hash(identity)):
            length = seconds_of(row)
            self.samples += 1
            self.seconds += length
            self._longest = max(self._longest, length)

    def meet(self, identity: str, length_of: Callable[[str], float]) -> None:
        """Count a sample of the store that was not even read again."""
        if self.count_known and self._counted.add(hash(identity)):
            self.samples += 1
            self.seconds += length_of(identity)

    def forget(self) -> None:
        """What was counted is in the store by now, which can be asked instead."""
        if not self.count_known:
            self._counted.clear()

    def is_full(self) -> bool:
        """Whether a limit is reached, if all media on its way is good; what is on its way is finished first."""
        if self._limit is not None and self.samples + self._promised >= self._limit:
            return True
        return self._limit_seconds is not None and self.seconds >= self._limit_seconds

    def is_near(self) -> bool:
        """Whether media on its way might already be more than is wanted: it is then waited for, one by one."""
        if self._limit_seconds is None:
            return False
        left = self._limit_seconds - self.seconds
        return not self._longest or left <= (self._promised + 1) * _CAREFUL * self._longest


def seconds_of(row: Mapping[str, Any]) -> float:
    """How long a sample is: its span, else its sound, else its video."""
    start, end = row.get("start_s"), row.get("end_s")
    if start is not None and end is not None:
        return float(end) - float(start)
    for kind in ("audio", "video"):
        length = (row.get(kind) or {}).get("duration")
        if length is not None:
            return float(length) - float(start or 0.0)
    return 0.0
