"""The SHA-256 of linked files, as their samples have it.

The name of a stored file states its bytes; a linked file has its own name, and only the store knows what was linked.
These sums travel with the rows of an export to the processes that read its media: 48 bytes for each linked file.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

_NO_SUM = bytes(32)
"""Of a path that samples have different sums of: whatever lies there now is not what one of them was given."""


class LinkedSums:
    """Sums by path."""

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
