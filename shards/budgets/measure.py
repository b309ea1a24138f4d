"""The length and size of a file as a budget needs them, where the store has no header of it or the header is silent.

A cut has no header in the store; some containers do not say how many frames they hold; the sound inside a video has no
length of its own there.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from ..media.length import decoded_seconds
from ..media.probe import probe
from ..media.streams import audio_streams, codec_name, open_media, video_streams

RATE = 16_000
PADDED_CODECS = ("aac",)
"""Codecs whose headers count the silence that the encoder put in front, which no decoder returns."""
_AAC_FRAME = 1_024


@dataclass(frozen=True, slots=True)
class Extent:
    """What the formulas take.

    Attributes:
        length: Samples at 16 kHz.
    """

    length: int | None = None
    frames: int | None = None
    fps: float | None = None
    width: int | None = None
    height: int | None = None
    seconds: float | None = None


def measure(path: Path, *, kind: str) -> Extent:
    """Measure a file as `audio`, `video` or `image`, or the `sound` inside a video.

    Raises:
        MediaError: It cannot be read, or is of another kind.
    """
    if kind == "sound":
        return _heard(path)
    header = probe(path, kind=kind).fields
    if kind == "image":
        return Extent(width=header["width"], height=header["height"])
    if kind == "video":
        frames = header["frames"] or _pictures(path)
        seconds = header["duration"] if header["duration"] is not None else frames / header["fps"]
        return Extent(None, frames, header["fps"], header["width"], header["height"], seconds)
    if header["frames"] and header["codec"] not in PADDED_CODECS:
        return Extent(length=_resampled(header["frames"], header["sample_rate"]), seconds=header["duration"])
    return _heard(path)


def _heard(path: Path) -> Extent:
    """The sound that a decoder returns: of AAC, whole frames without those before its start; else it is decoded."""
    with open_media(path) as container:
        stream = next(iter(audio_streams(container)), None)
        if stream is not None and codec_name(stream) == "aac" and stream.codec_context.profile == "LC":
            packets = [packet for packet in container.demux(stream) if packet.size]
            if packets and stream.start_time is not None and packets[0].pts is not None:
                before = round((stream.start_time - packets[0].pts) * stream.time_base * stream.rate)
                samples = len(packets) * _AAC_FRAME - max(0, before)
                return Extent(length=_resampled(samples, stream.rate), seconds=samples / stream.rate)
    seconds = decoded_seconds(path)
    return Extent(length=math.ceil(round(seconds * RATE, 3)), seconds=seconds)


def _resampled(frames: int, rate: int) -> int:
    return math.ceil(frames * (RATE / rate))


def _pictures(path: Path) -> int:
    """The number of pictures in a file whose header has none, as readers of videos count them: by packets."""
    with open_media(path) as container:
        return sum(1 for packet in container.demux(video_streams(container)[0]) if packet.size)
