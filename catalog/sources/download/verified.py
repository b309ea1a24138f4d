"""Files on this machine that a pull reads: their sums, and what tells without reading that they are the same."""

from __future__ import annotations

import hashlib
from concurrent.futures import Future
from pathlib import Path
from threading import Thread

from ....errors import TriptychError
from .checksums import Expected, Hasher, check


class Verification:
    """The sum of a local file, taken in a thread of its own from `start` on; reading waits for it."""

    def __init__(self, path: Path, expected: Expected) -> None:
        self._path = path
        self._expected = expected
        self._running: Future[str] | None = None

    def start(self) -> None:
        if self._running is None:
            self._running = Future()
            Thread(target=self._take, args=(self._running,), daemon=True, name="verify").start()

    def revision(self) -> str:
        """The sum as a revision.

        Raises:
            DamagedError: It is not the expected one.
        """
        self.start()
        assert self._running is not None
        return self._running.result()

    def _take(self, running: Future[str]) -> None:
        try:
            running.set_result(verified(self._path, self._expected))
        except (TriptychError, OSError) as error:
            running.set_exception(error)


def verified(path: Path, expected: Expected) -> str:
    """The SHA-256 of a local file as its revision, checked against what is expected; read once."""
    sums = Hasher(expected)
    sums.update_from(path)
    measured = sums.measured()
    check(measured, expected, str(path))
    return f"sha256:{measured.sha256}"


def file_fingerprint(path: Path) -> str:
    stat = path.stat()
    return f"{stat.st_size}-{stat.st_mtime_ns}"


def tree_fingerprint(root: Path) -> str:
    """Names, sizes and times of every file below a folder, as one sum; no file is opened."""
    digest = hashlib.sha256()
    for path in sorted(root.rglob("*")):
        if path.is_file():
            stat = path.stat()
            digest.update(f"{path.relative_to(root)}\0{stat.st_size}\0{stat.st_mtime_ns}\n".encode(errors="replace"))
    return f"tree:{digest.hexdigest()[:16]}"
