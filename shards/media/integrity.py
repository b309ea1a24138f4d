"""Whether media files are still what they were when they were stored: there, of their size, with their bytes.

A stored file is named by the SHA-256 of its bytes; of a linked file the sample has it. Hashing is as fast as the disk:
threads hash side by side, and a file is read once however many samples name it.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .media import hash_file
from .streams import MediaError

if TYPE_CHECKING:
    import numpy as np

_DIGEST = re.compile(r"[0-9a-f]{64}")
_BLOCK = 512

_NO_SUM = bytes(32)
"""Of a path that samples have different sums of: whatever lies there now is not what one of them was given."""


@dataclass(frozen=True, slots=True)
class Expected:
    """What a media file should be; `sha256` and `bytes` are None where nobody recorded them."""

    path: Path
    sha256: str | None = None
    bytes: int | None = None


def digest_in_name(path: Path) -> str | None:
    """The SHA-256 that the name of a stored file states."""
    return path.stem if _DIGEST.fullmatch(path.stem) else None


def problem_of(expected: Expected, *, quick: bool) -> str | None:
    """Say what is wrong with a file, or None; `quick` looks at its size and not at its bytes."""
    try:
        size = expected.path.stat().st_size
    except FileNotFoundError:
        return "missing"
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    if not expected.path.is_file():
        return "missing: it is no file"
    if expected.bytes is not None and size != expected.bytes:
        return f"damaged: {size:,} bytes, expected {expected.bytes:,}"
    if not size:
        return "damaged: it is empty"
    wanted = expected.sha256 or digest_in_name(expected.path)
    if quick or wanted is None:
        return None
    try:
        found, _ = hash_file(expected.path)
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    return None if found == wanted else f"damaged: its bytes have the SHA-256 {found}, expected {wanted}"


def check_as_stored(path: Path, sha256: str | None = None) -> None:
    """Refuse a file whose bytes are not those that were recorded: another one lies in its place.

    A file that was looked at and has the size and the time of then is not read again.

    Args:
        sha256: What the store has of a linked file; default: what the name of a stored file states, or nothing.

    Raises:
        MediaError: `changed_media`.
    """
    wanted = sha256 or digest_in_name(path)
    if wanted is None or not path.is_file():
        return
    status = path.stat()
    found = _digest(str(path), status.st_size, status.st_mtime_ns)
    if found != wanted:
        which = "that of its name" if sha256 is None else f"{sha256}, with which it was linked"
        raise MediaError("changed_media", f"its bytes have the SHA-256 {found}, not {which}; put it back")


@lru_cache(maxsize=1 << 16)
def _digest(path: str, size: int, changed_ns: int) -> str:
    return hash_file(Path(path))[0]


def problems_of(files: Iterable[Expected], *, quick: bool) -> Iterator[tuple[Expected, str]]:
    """Yield the files with a problem, in order."""
    with ThreadPoolExecutor(min(8, os.cpu_count() or 2)) as pool:
        block: list[Expected] = []
        for each in files:
            block.append(each)
            if len(block) == _BLOCK:
                yield from _problems(pool, block, quick=quick)
                block = []
        yield from _problems(pool, block, quick=quick)


def _problems(pool: ThreadPoolExecutor, block: list[Expected], *, quick: bool) -> Iterator[tuple[Expected, str]]:
    for each, problem in zip(block, pool.map(lambda one: problem_of(one, quick=quick), block), strict=True):
        if problem is not None:
            yield each, problem


class LinkedSums:
    """The SHA-256 of linked files, as their samples have it, by path.

    They travel with the rows of an export to the processes that read its media: 48 bytes for each file.
    """

    def __init__(self, sums: Mapping[str, str] | None = None) -> None:
        """Keep sums: hexadecimal; any other text is no file's."""
        self._places: np.ndarray[Any, Any] | None = None
        self._sums: np.ndarray[Any, Any] | None = None
        if sums:
            import numpy as np

            places = np.frombuffer(b"".join(map(_place, sums)), "S16")
            order = np.argsort(places)
            self._places = places[order]
            self._sums = np.frombuffer(b"".join(map(_bytes, sums.values())), np.uint8).reshape(-1, 32)[order]

    def get(self, path: str) -> str | None:
        """The sum of a file; None: it is not linked, or nobody recorded it."""
        if self._places is None or self._sums is None:
            return None
        import numpy as np

        wanted = np.frombuffer(_place(path), "S16")[0]
        number = int(np.searchsorted(self._places, wanted))
        is_there = number < len(self._places) and self._places[number] == wanted
        return bytes(self._sums[number]).hex() if is_there else None

    def __bool__(self) -> bool:
        return self._places is not None


def _place(path: str) -> bytes:
    return hashlib.blake2b(path.encode("utf-8", "surrogateescape"), digest_size=16).digest()


def _bytes(sum_: str) -> bytes:
    try:
        found = bytes.fromhex(sum_)
    except ValueError:
        return _NO_SUM
    return found if len(found) == len(_NO_SUM) else _NO_SUM
