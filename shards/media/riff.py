"""What the header of a WAV file declares, beside what the file contains.

libsndfile and FFmpeg both silently shorten a `data` chunk that is longer than its file, so a truncated WAV looks
complete to them; and they stop at the end of one that is shorter, as a recorder that crashed, or passed 4 GiB, leaves
it. This module reads the chunk sizes directly (RIFF, Microsoft and IBM 1991): an 8-byte header of name and
little-endian size, then the data, padded to an even length.
"""

from __future__ import annotations

import io
import re
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

_STREAMED = 0x7FFF_F000
"""Programs that cannot seek back write this size or more: the length is then not declared."""
_CHUNK_NAME = re.compile(rb"(?!RIFF|data)[ -~]{4}")
"""Names of chunks that may follow the sound. Another file behind it is no chunk: joined WAV files are not one file."""
_SLACK = 4096
"""Bytes behind the last chunk that are padding, not sound."""


@dataclass(frozen=True, slots=True)
class RiffSound:
    """The `data` chunk of a WAV file, in samples per channel.

    Attributes:
        declared: What its header declares; None if it declares no length (a stream, or a recorder that died).
        present: What fits between its start and the end of the file.
        behind: What lies behind its declared end and is no chunk.
    """

    declared: int | None
    present: int
    behind: int


def riff_sound(source: bytes | Path) -> RiffSound | None:
    """Read the chunk headers; None if it is not a WAV file with a `fmt ` and a `data` chunk.

    Raises:
        OSError: The file cannot be read.
    """
    if isinstance(source, bytes):
        return _read(io.BytesIO(source), len(source)) if source[:4] == b"RIFF" else None
    with source.open("rb") as file:
        return _read(file, source.stat().st_size)


def _read(file: BinaryIO, size: int) -> RiffSound | None:
    if file.read(12)[:4] != b"RIFF":
        return None
    block_align = 0
    while len(head := file.read(8)) == 8:
        name, length = struct.unpack("<4sI", head)
        if name == b"data":
            return _data(file, length, block_align, size) if block_align else None
        body = file.read(14) if name == b"fmt " else b""
        if len(body) == 14:
            block_align = struct.unpack_from("<H", body, 12)[0]
        file.seek(length + length % 2 - len(body), 1)
    return None


def _data(file: BinaryIO, length: int, block_align: int, size: int) -> RiffSound:
    start = file.tell()
    present = (size - start) // block_align
    if not 0 < length < _STREAMED:
        return RiffSound(None, present, 0)
    behind = 0 if start + length >= size else _bytes_behind(file, start + length + length % 2, size)
    return RiffSound(length // block_align, present, behind // block_align)


def _bytes_behind(file: BinaryIO, place: int, size: int) -> int:
    """The bytes from `place` on that are not a sequence of chunks."""
    while place < size:
        file.seek(place)
        head = file.read(8)
        name, length = struct.unpack("<4sI", head) if len(head) == 8 else (b"", 0)
        after = place + 8 + length + length % 2
        if not _CHUNK_NAME.fullmatch(name) or after > size + 1:
            return size - place if size - place > _SLACK else 0
        place = after
    return 0
