"""Media that waits for its text: in memory while it is little, spooled to disk once it is much."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from ...shards.media import scratch_path
from ..raw import Blob, Candidate

WAITING_BYTES = 128 * 1024 * 1024


class WaitingMedia:
    """Candidates by name, in the order in which they came."""

    def __init__(self, *, limit: int = WAITING_BYTES) -> None:
        self._limit = limit
        self._bytes = 0
        self._waiting: dict[str, tuple[int, Candidate]] = {}
        self._came = 0

    def names(self) -> list[str]:
        return list(self._waiting)

    def among(self, names: Iterable[str]) -> list[str]:
        """Those of the names that wait, in the order in which their media came; costs nothing for the others."""
        return sorted({name for name in names if name in self._waiting}, key=lambda name: self._waiting[name][0])

    def hold(self, name: str, candidate: Candidate, *, spool: Path | None) -> None:
        """Keep a candidate; past the limit its bytes go to a file under `spool`."""
        for index, (kind, blob) in enumerate(candidate.media):
            if blob.data is None:
                continue
            if self._bytes + len(blob.data) > self._limit and spool is not None:
                candidate.media[index] = (kind, _spooled(blob, spool))
            else:
                self._bytes += len(blob.data)
        self._came += 1
        self._waiting[name] = (self._came, candidate)

    def release(self, name: str) -> Candidate:
        _, candidate = self._waiting.pop(name)
        self._bytes -= sum(len(blob.data) for _, blob in candidate.media if blob.data is not None)
        return candidate

    def rest(self) -> Iterator[Candidate]:
        """What still waits; temporary files of these are removed."""
        for _, candidate in self._waiting.values():
            for _, blob in candidate.media:
                if blob.temporary and blob.path is not None:
                    blob.path.unlink(missing_ok=True)
            yield candidate
        self._waiting.clear()


def _spooled(blob: Blob, spool: Path) -> Blob:
    assert blob.data is not None
    path = scratch_path(spool)
    path.write_bytes(blob.data)
    return Blob(blob.name, path=path, temporary=True)
