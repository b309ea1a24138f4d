"""The length that a file's header declares for a stream, in seconds; None where it declares none.

FFmpeg always has an answer. For streams without a header (AAC, AC-3, AMR, MPEG audio without a Xing or VBRI header) it
is an estimate from the bit rate; for MPEG program streams it is the last time stamp, which most frames lack; for a
Matroska file it is the length of the longest track. None of these is passed on as declared: frames are counted where
their headers say how long they are, and else decoding decides.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, BinaryIO

from .frames import counted_seconds, counts_frames
from .ogg import ogg_pages_of
from .sound import sound_from
from .streams import MediaError, audio_streams, open_media, raw_file, video_streams

LONGEST_S = 1e6
"""No recording is longer than eleven days: what declares more has a broken header."""

_WITHOUT_HEADER = frozenset({"ac3", "eac3", "amr", "mpeg", "mpegvideo"})
_OFFSET_S = 0.05
_TAG = re.compile(r"(\d+):(\d\d):(\d\d(?:\.\d+)?)")


def declared_seconds(container: Any, stream: Any) -> float | None:
    """The declared length of one stream."""
    seconds = _declared(container, stream)
    return seconds if seconds is not None and 0 <= seconds <= LONGEST_S else None


def container_seconds(container: Any) -> float | None:
    """The declared length of the whole file, which is that of its longest stream."""
    if container.duration is None or container.format.name in _WITHOUT_HEADER or _is_counted(container):
        return None
    seconds = float(container.duration) / 1_000_000
    if container.format.name.startswith("matroska"):  # where it is the time of the end
        seconds -= max(0.0, (container.start_time or 0) / 1_000_000)
    return seconds if 0 < seconds <= LONGEST_S else None


def decoded_seconds(source: Path | BinaryIO) -> float:
    """The length of the sound, else of the pictures, found by decoding them all: for files that declare none.

    Raises:
        MediaError: It cannot be opened, or has neither.
    """
    with open_media(source) as container:
        if audio_streams(container):
            _, frames = sound_from(container)
            return float(sum(frame.samples / frame.sample_rate for frame in frames))
        streams = video_streams(container)
        if not streams:
            raise MediaError("not_media", "it has neither sound nor pictures")
        times = [float(frame.time) for frame in container.decode(streams[0]) if frame.time is not None]
        return times[-1] - times[0] + float(1 / (streams[0].average_rate or 25)) if times else 0.0


def _declared(container: Any, stream: Any) -> float | None:
    name = container.format.name
    if _is_counted(container):
        with raw_file(container) as file:
            return counted_seconds(file, adts=name == "aac")
    if name in _WITHOUT_HEADER:
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


def _is_counted(container: Any) -> bool:
    """Whether it is a stream whose frames must be counted."""
    if container.format.name != "mp3":
        return bool(container.format.name == "aac")
    with raw_file(container) as file:
        return not counts_frames(file)
