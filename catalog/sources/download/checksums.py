"""The size and checksums a file must have (`Expected`) and has (`Hasher`), compared in one pass.

A local file can be verified in the background (`Verification`), and a fingerprint shows without reading it that it is
the same file as before.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from threading import Thread

from ....errors import DamagedError, TriptychError

READ_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Expected:
    """Size in bytes and checksums (hexadecimal) a file must have; None if unknown."""

    size: int | None = None
    sha256: str | None = None
    md5: str | None = None


@dataclass(frozen=True, slots=True)
class Measured:
    """Size in bytes and checksums (hexadecimal) of a file; `md5` only if it was requested."""

    size: int
    sha256: str
    md5: str | None = None


class Hasher:
    """Running size and checksums. SHA-256 is always computed, because it becomes the revision; MD5 only if expected."""

    def __init__(self, expected: Expected) -> None:
        self.expected = expected
        self.size = 0
        self._sha256 = hashlib.sha256()
        self._md5 = hashlib.md5(usedforsecurity=False) if expected.md5 else None

    def update(self, data: bytes | memoryview) -> None:
        self.size += len(data)
        self._sha256.update(data)
        if self._md5 is not None:
            self._md5.update(data)

    def update_from(self, path: Path) -> None:
        """Add all bytes of a file."""
        with path.open("rb", buffering=0) as file:
            while data := file.read(READ_BYTES):
                self.update(data)

    def measured(self) -> Measured:
        md5 = self._md5.hexdigest() if self._md5 is not None else None
        return Measured(self.size, self._sha256.hexdigest(), md5)


def check(measured: Measured, expected: Expected, what: str, *, consequence: str = "") -> None:
    """Compare a file with its expected size and checksums.

    Args:
        what: The file or URL, for the message.
        consequence: A sentence on what happened to the file, for the message.

    Raises:
        DamagedError: They differ; the message has both values of the first difference.
    """
    pairs = (
        ("bytes", measured.size, expected.size),
        ("SHA-256", measured.sha256, expected.sha256 and expected.sha256.lower()),
        ("MD5", measured.md5, expected.md5 and expected.md5.lower()),
    )
    for kind, found, required in pairs:
        if required is not None and found is not None and found != required:
            raise DamagedError(
                f"{what}: {kind} is {found}, expected {required}. {consequence}".rstrip(),
                hint="Fetch the file again. If this repeats, it is not the file that the card describes: try --source.",
            )


class Verification:
    """The checksum of a local file, computed in its own thread from `start` on; `revision` waits for it."""

    def __init__(self, path: Path, expected: Expected) -> None:
        self._path = path
        self._expected = expected
        self._running: Future[str] | None = None

    def start(self) -> None:
        if self._running is None:
            self._running = Future()
            Thread(target=self._verify, args=(self._running,), daemon=True, name="verify").start()

    def revision(self) -> str:
        """Return the checksum as a revision.

        Raises:
            DamagedError: It is not the expected one.
        """
        self.start()
        assert self._running is not None
        return self._running.result()

    def _verify(self, running: Future[str]) -> None:
        try:
            running.set_result(verified(self._path, self._expected))
        except (TriptychError, OSError) as error:
            running.set_exception(error)


def verified(path: Path, expected: Expected) -> str:
    """Return the SHA-256 of a local file as its revision, after checking the file; it is read once."""
    hasher = Hasher(expected)
    hasher.update_from(path)
    measured = hasher.measured()
    check(measured, expected, str(path))
    return f"sha256:{measured.sha256}"


def file_fingerprint(path: Path) -> str:
    """Return the size and time of a file; it is not opened."""
    stat = path.stat()
    return f"{stat.st_size}-{stat.st_mtime_ns}"


def tree_fingerprint(files: Iterable[tuple[str, Path]]) -> str:
    """Return one hash of the names, sizes and times of the files of a folder, in their order; no file is opened."""
    digest = hashlib.sha256()
    for name, path in files:
        stat = path.stat()
        digest.update(f"{name}\0{stat.st_size}\0{stat.st_mtime_ns}\n".encode(errors="replace"))
    return f"tree:{digest.hexdigest()[:16]}"
