"""How many samples a WAV header declares, whatever the file holds.

libsndfile and FFmpeg both quietly shorten a `data` chunk that is longer than its file, so a truncated WAV looks whole
to them. This reads the chunk sizes themselves (RIFF, Microsoft and IBM 1991): an 8-byte head of name and little-endian
size, then the data, padded to an even length.
"""

from __future__ import annotations

import struct
from pathlib import Path

_STREAMED = 0x7FFF_F000
"""Sizes from here on are what programs write that cannot seek back: the length is not declared."""


def declared_frames(path: Path) -> int | None:
    """Samples of one channel that the `data` chunk declares; None where the header does not tell.

    Raises:
        OSError: The file cannot be read.
    """
    with path.open("rb") as file:
        if file.read(12)[:4] != b"RIFF":
            return None
        block_align = 0
        while len(head := file.read(8)) == 8:
            name, size = struct.unpack("<4sI", head)
            if name == b"data":
                return size // block_align if block_align and 0 < size < _STREAMED else None
            body = file.read(14) if name == b"fmt " else b""
            if len(body) == 14:
                block_align = struct.unpack_from("<H", body, 12)[0]
            file.seek(size + size % 2 - len(body), 1)
    return None
