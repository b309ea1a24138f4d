"""Media waiting for its text: in memory up to a limit, on disk beyond it.

On disk every clip is a separate file, which can be moved into the store by renaming it; its metadata goes to one
unnamed temporary file. Only its name and an offset into that file stay in memory: about 300 bytes per clip.
"""

from __future__ import annotations

import pickle
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO

from ....shards.media.media import scratch_path
from ...candidate import Blob, Candidate

WAITING_BYTES = 128 * 1024 * 1024
CANDIDATE_BYTES = 1500
"""Approximate memory of a candidate, not counting its media bytes."""


class WaitingMedia:
    """Candidates by name, in the order of arrival."""

    def __init__(self, *, limit: int = WAITING_BYTES) -> None:
        self._limit = limit
        self._bytes = 0
        self._came = 0
        self._waiting: dict[str, tuple[int, Candidate | int]] = {}
        self._file: IO[bytes] | None = None

    def __contains__(self, name: str) -> bool:
        return name in self._waiting

    def names(self) -> list[str]:
        return list(self._waiting)

    def among(self, names: Iterable[str]) -> list[str]:
        """The waiting ones among these names, in the order in which their media arrived."""
        return sorted({name for name in names if name in self._waiting}, key=lambda name: self._waiting[name][0])

    def hold(self, name: str, candidate: Candidate, *, spool: Path | None) -> None:
        """Keep a candidate; beyond the limit it is written to files under `spool`."""
        size = _size(candidate)
        self._came += 1
        if self._bytes + size > self._limit and spool is not None:
            self._waiting[name] = (self._came, self._write(candidate, spool))
        else:
            self._bytes += size
            self._waiting[name] = (self._came, candidate)

    def release(self, name: str) -> Candidate:
        return self._take(self._waiting.pop(name)[1])

    def rest(self) -> Iterator[Candidate]:
        """The candidates still waiting; their temporary files are deleted."""
        for name in self.names():
            candidate = self.release(name)
            for _, blob in candidate.media:
                blob.discard()
            yield candidate

    def _take(self, held: Candidate | int) -> Candidate:
        if isinstance(held, Candidate):
            self._bytes -= _size(held)
            return held
        assert self._file is not None
        self._file.seek(held)
        # Safe to unpickle: no other process can have written to this unnamed file.
        candidate: Candidate = pickle.load(self._file)
        return candidate

    def _write(self, candidate: Candidate, spool: Path) -> int:
        """Write a candidate to disk and return its offset."""
        candidate.media = [(kind, _spooled(blob, spool)) for kind, blob in candidate.media]
        if self._file is None:
            self._file = tempfile.TemporaryFile(dir=spool)  # noqa: SIM115
        place = self._file.seek(0, 2)
        pickle.dump(candidate, self._file, protocol=pickle.HIGHEST_PROTOCOL)
        return place


def _size(candidate: Candidate) -> int:
    return CANDIDATE_BYTES + sum(len(blob.data) for _, blob in candidate.media if blob.data is not None)


def _spooled(blob: Blob, spool: Path) -> Blob:
    if blob.data is None:
        return blob
    path = scratch_path(spool)
    path.write_bytes(blob.data)
    return Blob(blob.name, path=path, temporary=True)
