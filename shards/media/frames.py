"""The length of MPEG audio and ADTS streams, which have no header for the whole file: their frames are counted.

Every frame begins with a header that says its size and how many samples it holds (ISO 11172-3, 2.4.1.3; ISO 14496-3,
1.A.2.2). Tags of other formats may stand before the first frame and behind the last one. Nothing is decoded.
"""

from __future__ import annotations

import io
import re
import struct
from typing import BinaryIO, NamedTuple

_CHUNK = 1 << 20
_SEARCHED = 64 * 1024
_END_TAGS = (b"TAG", b"APETAGEX", b"LYRICS", b"ID3")

_RATES = {3: (44_100, 48_000, 32_000), 2: (22_050, 24_000, 16_000), 0: (11_025, 12_000, 8_000)}
"""Sample rates by version: 3 is MPEG-1, 2 is MPEG-2, 0 is MPEG-2.5."""
_KBITS = {
    (3, 3): (32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (3, 2): (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (3, 1): (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (2, 3): (32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (2, 2): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (2, 1): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
"""Bit rates by version (2 for 2.5 too) and layer bits (3 is layer I, 1 is layer III)."""
_ADTS_RATES = (
    96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000, 7_350,
)  # fmt: skip

Frame = tuple[int, float]
"""Size in bytes and length in seconds."""


def mpeg_frame(head: bytes) -> Frame | None:
    """The MPEG audio frame that a header of 4 bytes begins; None if it is none, or of free format."""
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE0 != 0xE0:
        return None
    version, layer = head[1] >> 3 & 3, head[1] >> 1 & 3
    bit_rate, rate_index, padding = head[2] >> 4, head[2] >> 2 & 3, head[2] >> 1 & 1
    if version == 1 or layer == 0 or rate_index == 3 or not 0 < bit_rate < 15:
        return None
    rate = _RATES[version][rate_index]
    bits = _KBITS[3 if version == 3 else 2, layer][bit_rate - 1] * 1000
    if layer == 3:
        return (12 * bits // rate + padding) * 4, 384 / rate
    samples = 576 if layer == 1 and version != 3 else 1152
    return samples // 8 * bits // rate + padding, samples / rate


def adts_frame(head: bytes) -> Frame | None:
    """The ADTS frame that a header of 7 bytes begins; None if it is none."""
    if len(head) < 7 or head[0] != 0xFF or head[1] & 0xF6 != 0xF0:
        return None
    rate_index, size = head[2] >> 2 & 15, (head[3] & 3) << 11 | head[4] << 3 | head[5] >> 5
    if rate_index >= len(_ADTS_RATES) or size < 7:
        return None
    return size, 1024 * ((head[6] & 3) + 1) / _ADTS_RATES[rate_index]


def counted_seconds(file: BinaryIO, *, adts: bool = False) -> float | None:
    """The length of all frames; None if something that is no frame lies between them, or the last one is cut short."""
    read = adts_frame if adts else mpeg_frame
    size = file.seek(0, io.SEEK_END)
    place = _after_tags(file)
    total, base, data = 0.0, place, b""
    while place < size:
        if place + 16 > base + len(data):
            file.seek(place)
            base, data = place, file.read(_CHUNK)
        head = data[place - base : place - base + 16]
        frame = read(head)
        if frame is None:
            return total if total and head.startswith(_END_TAGS) else None
        place += frame[0]
        total += frame[1]
    return total if total and place == size else None


def counts_frames(file: BinaryIO) -> bool:
    """Whether the first frame of MPEG audio holds a Xing, Info or VBRI header with the number of frames."""
    head = _file_header(file)
    return head is not None and head.counts_frames


def lacks_bytes(file: BinaryIO) -> bool:
    """Whether MPEG audio ends before the byte at which its Xing or Info header says that it does: it was cut short."""
    head = _file_header(file)
    if head is None or not head.size:
        return False
    return file.seek(0, io.SEEK_END) < head.place + head.size


class _FileHeader(NamedTuple):
    """The frame with a Xing, Info or VBRI header: its place, whether it counts frames, the bytes from it to the end."""

    place: int
    counts_frames: bool
    size: int = 0


def _file_header(file: BinaryIO) -> _FileHeader | None:
    begin = _after_tags(file)
    file.seek(begin)
    data = file.read(_SEARCHED)
    for match in re.finditer(rb"\xff[\xe0-\xff]", data):
        place = match.start()
        head = data[place : place + 4]
        if mpeg_frame(head) is None:
            continue
        is_mono, is_first_version = head[3] >> 6 == 3, head[1] >> 3 & 3 == 3
        side = {(True, False): 32, (True, True): 17, (False, False): 17, (False, True): 9}[is_first_version, is_mono]
        xing = data[place + 4 + side : place + 20 + side]
        if xing[:4] in (b"Xing", b"Info") and len(xing) >= 12:
            flags, frames = struct.unpack_from(">II", xing, 4)
            size = struct.unpack_from(">I", xing, 12)[0] if flags & 3 == 3 and len(xing) == 16 else 0
            return _FileHeader(begin + place, bool(flags & 1 and frames), size)
        return _FileHeader(begin + place, True) if data[place + 36 : place + 40] == b"VBRI" else None
    return None


def _after_tags(file: BinaryIO) -> int:
    """The place behind ID3v2 tags."""
    place = 0
    while True:
        file.seek(place)
        head = file.read(10)
        if head[:3] != b"ID3" or len(head) < 10:
            return place
        size = head[6:10]
        place += 10 + (size[0] << 21 | size[1] << 14 | size[2] << 7 | size[3])
