"""Several files read as one: the parts into which a large archive was split.

Each part is opened when reading reaches it. Seeking works if every part can seek; measuring the size opens them all.
Parts have names, so that an error about the whole can say which of them is missing or truncated.
"""

from __future__ import annotations

import io
from bisect import bisect_right
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import BinaryIO, cast

from ....errors import DamagedError
from .part_names import is_gap, missing_names


class JoinedStream(io.RawIOBase):
    """A readable binary file that concatenates parts, in order.

    It ends at a gap in the names: what would come after it is not the rest of a member that was cut there.

    Args:
        openers: One per part; called once, when the part is reached.
        names: Names of the parts, for messages.

    Raises:
        DamagedError: While reading, if the file of a part cannot be opened. Other errors pass unchanged.
    """

    def __init__(self, openers: Sequence[Callable[[], BinaryIO]], names: Sequence[str] = ()) -> None:
        super().__init__()
        if names and len(names) != len(openers):
            raise ValueError(f"{len(openers)} parts and {len(names)} names")
        self.names = tuple(names)
        self._openers = list(openers)
        self._read_whole: dict[int, int] = {}
        self._parts: list[BinaryIO | None] = [None] * len(self._openers)
        self._starts: list[int] | None = None
        self._current = 0
        self._position = 0
        self._taken = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return bool(self._openers) and self._part(0).seekable()

    def tell(self) -> int:
        return self._position

    @property
    def sizes(self) -> list[int]:
        """Size of each part, in bytes."""
        starts = self._measured()
        return [after - before for before, after in pairwise(starts)]

    @property
    def current(self) -> int:
        """Index of the part that is being read, from 0."""
        return min(self._current, len(self._openers) - 1)

    def name_of(self, number: int) -> str:
        """Describe a part by its name and its number, from 1."""
        place = f"part {number + 1} of {len(self._openers)}"
        return f"{self.names[number]!r} ({place})" if self.names else place

    def doubt(self) -> str | None:
        """Return what looks wrong with the parts: a gap in their numbers, or parts that are too short.

        All parts have the same size, only the last may be shorter. Parts not reached yet are not checked.
        """
        if missing := missing_names(self.names):
            return f"{', '.join(missing[:5])} {'is' if len(missing) == 1 else 'are'} missing from its parts"
        known = dict(enumerate(self.sizes)) if self._starts is not None else dict(self._read_whole)
        known.pop(len(self._openers) - 1, None)
        full = max(known.values(), default=0)
        short = [f"{self.name_of(number)} has {size:,} bytes" for number, size in known.items() if size < full]
        return f"{', '.join(short[:5])}, while others have {full:,}" if short else None

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
        """Read `size` bytes across parts; fewer only at the end."""
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
                self._taken += len(data)
                return data
            if self._is_before_a_gap():
                break
            self._next()
        return b""

    def _is_before_a_gap(self) -> bool:
        pair = self.names[self._current : self._current + 2]
        return len(pair) == 2 and is_gap(*pair)

    def _next(self) -> None:
        part = self._part(self._current)
        if self._starts is None:
            self._read_whole[self._current] = self._taken
        self._taken = 0
        self._current += 1
        if not part.seekable():
            # It cannot be read again: release its connection or file.
            part.close()
        elif self._current < len(self._openers):
            self._part(self._current).seek(0)

    def _part(self, number: int) -> BinaryIO:
        part = self._parts[number]
        if part is None:
            try:
                part = self._parts[number] = self._openers[number]()
            except OSError as error:
                raise DamagedError(
                    f"{self.name_of(number)} cannot be opened: {error.strerror or error}.",
                    hint="Put it next to the others, then run the same command again.",
                ) from error
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
