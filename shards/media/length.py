"""The length that a file's header declares for a stream, in seconds; None where it declares none.

FFmpeg always has an answer. For streams without a header (AAC, AC-3, AMR, MPEG audio without a Xing or VBRI header) it
is an estimate from the bit rate; for MPEG program streams it is the last time stamp, which most frames lack; for a
Matroska file it is the length of the longest track. None of these is passed on as declared: decoding decides.
"""

from __future__ import annotations

import re
import struct
from typing import Any, BinaryIO

from .ogg import ogg_pages_of
from .streams import audio_streams, raw_file, video_streams

LONGEST_S = 1e6
"""No recording is longer than eleven days: what declares more has a broken header."""

_WITHOUT_HEADER = frozenset({"aac", "ac3", "eac3", "amr", "mpeg", "mpegvideo"})
_OFFSET_S = 0.05
_TAG = re.compile(r"(\d+):(\d\d):(\d\d(?:\.\d+)?)")


def declared_seconds(container: Any, stream: Any) -> float | None:
    """The declared length of one stream."""
    seconds = _declared(container, stream)
    return seconds if seconds is not None and 0 <= seconds <= LONGEST_S else None


def container_seconds(container: Any) -> float | None:
    """The declared length of the whole file, which is that of its longest stream."""
    if container.duration is None or container.format.name in _WITHOUT_HEADER or _is_unknown_mpeg_audio(container):
        return None
    seconds = float(container.duration) / 1_000_000
    return seconds if 0 < seconds <= LONGEST_S else None


def _declared(container: Any, stream: Any) -> float | None:
    name = container.format.name
    if name in _WITHOUT_HEADER or _is_unknown_mpeg_audio(container):
        return None
    if name == "ogg" and stream.type == "audio":
        with raw_file(container) as file:
            pages = ogg_pages_of(file)
        return None if pages is None else pages.seconds
    if stream.duration is not None and stream.time_base is not None:
        return float(stream.duration * stream.time_base)
    begins = float(stream.start_time * stream.time_base) if stream.start_time is not None else 0.0
    tag = _TAG.search(stream.metadata.get("DURATION", ""))
    if tag:  # as FFmpeg and mkvmerge write it: the time at which the track ends
        return int(tag[1]) * 3600 + int(tag[2]) * 60 + float(tag[3]) - max(0.0, begins)
    alone = len(audio_streams(container)) + len(video_streams(container)) == 1
    if name == "flac" or not alone or begins > _OFFSET_S:
        return None
    return container_seconds(container)


def _is_unknown_mpeg_audio(container: Any) -> bool:
    if container.format.name != "mp3":
        return False
    with raw_file(container) as file:
        return not _counts_frames(file)


_SEARCHED = 64 * 1024
_LAYER_3 = 1


def _counts_frames(file: BinaryIO) -> bool:
    """Whether the first frame of MPEG audio holds a Xing, Info or VBRI header with the number of frames."""
    head = file.read(10)
    start = 0
    while head[:3] == b"ID3" and len(head) == 10:
        size = head[6:10]
        start += 10 + (size[0] << 21 | size[1] << 14 | size[2] << 7 | size[3])
        file.seek(start)
        head = file.read(10)
    file.seek(start)
    data = file.read(_SEARCHED)
    for match in re.finditer(rb"\xff[\xe0-\xff][\x00-\xef]", data):
        version, layer = match[0][1] >> 3 & 3, match[0][1] >> 1 & 3
        if version == 1 or layer == 0:
            continue
        if layer != _LAYER_3:
            return False
        place = match.start()
        mono = len(data) > place + 3 and data[place + 3] >> 6 == 3
        side = {(True, False): 32, (True, True): 17, (False, False): 17, (False, True): 9}[version == 3, mono]
        xing = data[place + 4 + side : place + 16 + side]
        if xing[:4] in (b"Xing", b"Info") and len(xing) == 12:
            flags, frames = struct.unpack_from(">II", xing, 4)
            return bool(flags & 1 and frames)
        return data[place + 36 : place + 40] == b"VBRI"
    return False
