"""The pages of an Ogg file: whether it is whole, and how long its sound is, without decoding it.

Ogg (RFC 3533) is a sequence of pages. Each begins with `OggS`, its flags (2: first page of a stream, 4: last one), the
position at its end (granule), the serial number of its stream and the sizes of its segments. Files may be joined by
putting one behind the other: such a chain is one valid file, of which libsndfile reads the first link only. A file
whose last page is not marked as the last (its recorder was killed) is valid up to there; libsndfile says its length is
2^63 samples.

Opus (RFC 7845) counts granules at 48 kHz whatever the rate of its input, and begins with samples that are not heard.
"""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

_FIRST, _LAST = 2, 4
_HEADER = struct.Struct("<4sxBqI8xB")
_BODY_READ = 64
_OPUS_RATE = 48_000
_LATE_S = 20
"""A stream whose first page ends later than this is a part of a broadcast: its granules say no length."""


@dataclass(slots=True)
class OggLink:
    """The first audio stream of one link of a chain.

    Attributes:
        serial: Of the stream; None if the link has no audio stream of a known codec.
        rate: Granules in a second.
        skipped: Granules before the first sound.
        first, last: Granule at the end of its first page with sound, and of its last one.
        ended: Its last page is marked as the last.
    """

    serial: int | None = None
    rate: int = 0
    skipped: int = 0
    first: int | None = None
    last: int | None = None
    ended: bool = False

    @property
    def seconds(self) -> float | None:
        if self.first is None or self.last is None or not self.rate or self.first > _LATE_S * self.rate:
            return None
        return max(0, self.last - self.skipped) / self.rate


@dataclass(slots=True)
class OggPages:
    """What the pages of a file say.

    Attributes:
        links: One, or several in a chain.
        cut_short: The file ends inside a page.
        foreign: It ends with bytes that are not a page.
        size: Bytes of the file that were walked over.
    """

    links: list[OggLink] = field(default_factory=list)
    cut_short: bool = False
    foreign: bool = False
    size: int = 0

    @property
    def seconds(self) -> float | None:
        """The length of the sound of all links; None if the pages do not say it, or nothing that can be true."""
        lengths = [link.seconds for link in self.links]
        known = [length for length in lengths if length is not None]
        if self.foreign or not known or len(known) < len(lengths):
            return None
        total = sum(known)
        return total if total <= self.size else None  # no codec codes a second in a byte

    @property
    def is_plain(self) -> bool:
        """Whether libsndfile reads it to its end and knows its length: one link whose last page is marked."""
        return len(self.links) == 1 and self.links[0].ended and not self.cut_short


def ogg_pages(source: bytes | Path) -> OggPages | None:
    """Walk over the pages; None if it is not an Ogg file.

    Raises:
        OSError: The file cannot be read.
    """
    if isinstance(source, bytes):
        return ogg_pages_of(io.BytesIO(source))
    with source.open("rb") as file:
        return ogg_pages_of(file)


def ogg_pages_of(file: BinaryIO) -> OggPages | None:
    """Walk over the pages of an open file, from its start."""
    size = file.seek(0, io.SEEK_END)
    file.seek(0)
    return _walk(file, size) if file.read(4) == b"OggS" else None


def _walk(file: BinaryIO, size: int) -> OggPages:
    pages = OggPages(size=size)
    place, in_headers = 0, False
    while place < size:
        file.seek(place)
        head = file.read(_HEADER.size)
        if head[:4] != b"OggS"[: len(head)]:
            pages.foreign = True
            break
        if len(head) < _HEADER.size:
            pages.cut_short = True
            break
        _, flags, granule, serial, segments = _HEADER.unpack(head)
        sizes = file.read(segments)
        place += _HEADER.size + segments + sum(sizes)
        if len(sizes) < segments or place > size:
            pages.cut_short = True
            break
        if flags & _FIRST:
            if not in_headers:
                pages.links.append(OggLink())
            _begin(pages.links[-1], serial, file.read(_BODY_READ))
        in_headers = bool(flags & _FIRST)
        if pages.links and serial == pages.links[-1].serial and not in_headers:
            _continue(pages.links[-1], flags, granule)
    return pages


def _begin(link: OggLink, serial: int, body: bytes) -> None:
    if link.serial is not None:
        return
    if body[:8] == b"OpusHead" and len(body) >= 19:
        link.serial, link.rate, link.skipped = serial, _OPUS_RATE, struct.unpack_from("<H", body, 10)[0]
    elif body[:7] == b"\x01vorbis" and len(body) >= 16:
        link.serial, link.rate = serial, struct.unpack_from("<I", body, 12)[0]
    elif body[:5] == b"\x7fFLAC" and len(body) >= 30:
        link.serial, link.rate = serial, int.from_bytes(body[27:30], "big") >> 4
    elif body[:8] == b"Speex   " and len(body) >= 40:
        link.serial, link.rate = serial, struct.unpack_from("<I", body, 36)[0]


def _continue(link: OggLink, flags: int, granule: int) -> None:
    if granule > 0:
        link.first = granule if link.first is None else link.first
        link.last = granule
    link.ended = bool(flags & _LAST)
