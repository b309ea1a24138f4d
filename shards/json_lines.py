"""Lines of JSON Lines, one at a time, each of bounded length: a file without line ends must not fill the memory.

A line takes several times its size once it is decoded, parsed and turned into columns; 64 MB of it is no sample of any
corpus but a document in the wrong format, or an attack.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

LARGEST_LINE_MB = 64
MB = 1024 * 1024

_BOM = b"\xef\xbb\xbf"


def read_lines(stream: BinaryIO, *, largest: int = LARGEST_LINE_MB * MB) -> Iterator[tuple[int, bytes | None]]:
    """Yield the lines that are not blank with their numbers, counted from 1, without the byte order mark.

    A line of more than `largest` bytes is skipped without being kept, and None is yielded in its place.
    """
    number = 0
    while line := stream.readline(largest + 1):
        number += 1
        if len(line) > largest and not line.endswith(b"\n"):
            _skip_line(stream)
            yield number, None
            continue
        if number == 1:
            line = line.removeprefix(_BOM)
        if line.strip():
            yield number, line


def too_long(largest: int) -> str:
    """What is wrong with a line that was skipped."""
    return f"longer than {largest // MB:,} MB: is this JSON Lines, one object per line?"


def _skip_line(stream: BinaryIO) -> None:
    while (piece := stream.readline(MB)) and not piece.endswith(b"\n"):
        pass
