"""The limits of a pull: a number of samples or a total duration, in stream order.

Each id is counted once. Samples already in the store count beforehand (`held`) or, if only some samples of a dataset
are selected, when the stream reaches them (`count_known`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

from ...shards.hash_sets import HashSet
from ...shards.media.fence import fenced
from ...shards.media.length import decoded_seconds
from ...shards.media.media import MediaError, MediaStore

_LENGTH_MARGIN = 4
"""Media in progress is assumed to be at most this many times longer than the longest sample so far."""


class Quota:
    """Counts samples that are stored or in progress against the limits.

    Attributes:
        samples, seconds: Counted towards the limits, including `held`.
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
        self._reserved = 0
        self._longest = 0.0
        self._counted = HashSet()

    def counts(self, identity: str, *, is_known: bool) -> bool:
        """Whether a candidate with this id counts as a new sample; `is_known`: it is in the store."""
        return hash(identity) not in self._counted and (self.count_known or not is_known)

    def reserve(self, count: bool) -> None:
        """Reserve a place for a candidate in progress, if it counts."""
        self._reserved += count

    def release(self, count: bool) -> None:
        """Release the reserved place of a candidate that is done."""
        self._reserved -= count

    def take(self, identity: str, row: Mapping[str, Any], measure: Callable[[Mapping[str, Any]], float]) -> None:
        """Count a new sample; `measure` finds the seconds of one whose length is unknown, if they are limited."""
        if self._counted.add(hash(identity)):
            length = 0.0
            if self._limit_seconds is not None:
                known = seconds_of(row)
                length = measure(row) if known is None else known
            self.samples += 1
            self.seconds += length
            self._longest = max(self._longest, length)

    def count_stored(self, identity: str, length_of: Callable[[str], float]) -> None:
        """Count a stored sample that the stream reached but did not read again."""
        if self.count_known and self._counted.add(hash(identity)):
            self.samples += 1
            self.seconds += length_of(identity)

    def forget(self) -> None:
        """Forget the counted ids, which are in the store now and known from there."""
        if not self.count_known:
            self._counted.clear()

    def is_full(self) -> bool:
        """Whether a limit is reached, assuming that all candidates in progress succeed."""
        if self._limit is not None and self.samples + self._reserved >= self._limit:
            return True
        return self._limit_seconds is not None and self.seconds >= self._limit_seconds

    def is_near(self) -> bool:
        """Whether media in progress might already exceed the limit; the caller then waits for it one by one."""
        if self._limit_seconds is None:
            return False
        remaining = self._limit_seconds - self.seconds
        return not self._longest or remaining <= (self._reserved + 1) * _LENGTH_MARGIN * self._longest


def seconds_of(row: Mapping[str, Any]) -> float | None:
    """Duration of a sample: of its span, else its audio, else its video; None if no header declares it."""
    start, end = row.get("start_s"), row.get("end_s")
    if start is not None and end is not None:
        return float(end) - float(start)
    for kind in ("audio", "video"):
        length = (row.get(kind) or {}).get("duration")
        if length is not None:
            return float(length) - float(start or 0.0)
    return None


def measured_seconds(row: Mapping[str, Any], media: Mapping[str, Path | BinaryIO]) -> float:
    """Duration of a sample whose headers declare none, found by decoding; 0 if that fails or it has no media.

    Args:
        media: Its files, by kind.
    """
    for kind in ("audio", "video"):
        if kind in media:
            with suppress(MediaError), fenced(str(media[kind])):
                return max(0.0, decoded_seconds(media[kind]) - float(row.get("start_s") or 0.0))
    return 0.0


def stored_seconds(row: Mapping[str, Any], media: MediaStore) -> float:
    """The same of a sample whose media is stored."""
    paths = {kind: (row.get(kind) or {}).get("path") for kind in ("audio", "video")}
    return measured_seconds(row, {kind: media.absolute(path) for kind, path in paths.items() if path})
