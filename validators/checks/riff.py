"""The number of samples that a WAV header declares, whatever the file contains.

libsndfile and FFmpeg both silently shorten a `data` chunk that is longer than its file, so a truncated WAV looks
complete to them. This module reads the chunk sizes directly (RIFF, Microsoft and IBM 1991): an 8-byte header of name
and little-endian size, then the data, padded to an even length.
"""

from __future__ import annotations

import struct
from pathlib import Path

_STREAMED = 0x7FFF_F000
"""Programs that cannot seek back write this size or more: the length is then not declared."""


def declared_frames(path: Path) -> int | None:
    """Return the number of samples per channel that the `data` chunk declares; None if it declares none.

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
