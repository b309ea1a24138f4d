"""Several files that are one, byte after byte: the parts into which a large archive was cut.

Each part is opened when reading comes to it. Seeking is possible where every part can seek; asking for the size opens
them all.
"""

from __future__ import annotations

import io
from bisect import bisect_right
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import BinaryIO, cast


class JoinedStream(io.RawIOBase):
    """A readable binary file over parts, in their order.

    Args:
        openers: One for each part; called once, when the part is reached.
    """

    def __init__(self, openers: Sequence[Callable[[], BinaryIO]]) -> None:
        super().__init__()
        self._openers = list(openers)
        self._parts: list[BinaryIO | None] = [None] * len(self._openers)
        self._starts: list[int] | None = None
        self._current = 0
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return bool(self._openers) and self._part(0).seekable()

    def tell(self) -> int:
        return self._position

    @property
    def sizes(self) -> list[int]:
        """Bytes of each part."""
        starts = self._measured()
        return [after - before for before, after in pairwise(starts)]

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        starts = self._measured()
        origin = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: starts[-1]}[whence]
        if origin + offset < 0:
            raise ValueError(f"seek to {origin + offset}, before the start")
        self._position = origin + offset
        self._current = min(bisect_right(starts, self._position) - 1, len(self._openers) - 1)
        self._part(self._current).seek(self._position - starts[self._current])
        return self._position

    def read(self, size: int = -1) -> bytes:
        """`size` bytes from here, across parts; fewer only at the end."""
        pieces: list[bytes] = []
        left = size if size is not None and size >= 0 else None
        while left is None or left > 0:
            data = self._take(left)
            if not data:
                break
            pieces.append(data)
            left = None if left is None else left - len(data)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def readall(self) -> bytes:
        return self.read(-1)

    def readinto(self, buffer: object) -> int:
        view = memoryview(cast("bytearray", buffer)).cast("B")
        data = self.read(len(view))
        view[: len(data)] = data
        return len(data)

    def close(self) -> None:
        for part in self._parts:
            if part is not None:
                part.close()
        super().close()

    def _take(self, size: int | None) -> bytes:
        while self._current < len(self._openers):
            data = self._part(self._current).read(-1 if size is None else size)
            if data:
                self._position += len(data)
                return data
            self._next()
        return b""

    def _next(self) -> None:
        part = self._part(self._current)
        self._current += 1
        if not part.seekable():
            # It cannot be read again: its connection or file is no longer needed.
            part.close()
        elif self._current < len(self._openers):
            self._part(self._current).seek(0)

    def _part(self, number: int) -> BinaryIO:
        part = self._parts[number]
        if part is None:
            part = self._parts[number] = self._openers[number]()
        return part

    def _measured(self) -> list[int]:
        if self._starts is None:
            starts = [0]
            for number in range(len(self._openers)):
                part = self._part(number)
                here = part.tell()
                starts.append(starts[-1] + part.seek(0, io.SEEK_END))
                part.seek(here)
            self._starts = starts
        return self._starts
