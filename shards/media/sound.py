"""Time in the sound of a media file: seconds count from the first sound.

A container's clock rarely starts there. MPEG-TS starts at 1.4 s or anywhere else, Matroska at the offset it was written
with, and MP3, AAC and Opus begin with samples of the encoder that no player lets be heard (priming, pre-skip). FFmpeg
drops those samples, so the first decoded frame begins at the first sound, and its time is second 0. Every span of the
package is counted so: in cuts, in fetched clips and in checks.

Where packets are found by a seek, the container's own times say where decoding starts. Formats without such times (raw
MPEG audio and AAC streams, chained Ogg files) are read from their start.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from itertools import groupby
from pathlib import Path
from typing import Any

from ..in_memory import encoded
from .ogg import ogg_pages_of
from .streams import MediaError, audio_streams, codec_name, open_media, raw_file

OVERSHOOT_S = 0.05
"""Seconds by which a span may extend beyond the end of its media: annotations are rounded."""

_PREROLL_S = 1.0
"""Seconds decoded before a span: Opus needs 0.08, MP3 up to 0.25, AAC one packet."""
_WALKED = frozenset({"mp3", "aac", "ac3", "eac3", "amr", "mpegvideo", "ape", "wv", "tta", "avi", "rm"})
_WALKED_UNLESS_PCM = frozenset({"wav", "w64", "aiff", "au", "caf"})
_GAP_S = 0.05
_LONGEST_GAP_S = 60.0
"""A gap in the times is silence, as a player plays it; a longer jump is a clock that was set anew."""


def sound_from(container: Any, start_s: float = 0.0, *, channel: int | None = None) -> tuple[float, Iterator[Any]]:
    """The decoded frames of the first audio stream of a newly opened container, from `start_s` or a little before.

    Args:
        start_s: Seconds from the first sound.
        channel: The one channel to take, counted from 0; None: all.

    Returns:
        The second at which the first frame begins, counted from the first sound, and the frames without gaps.

    Raises:
        MediaError: `no_audio_stream`, `no_such_channel`.
    """
    streams = audio_streams(container)
    if not streams:
        raise MediaError("no_audio_stream", "it has no audio stream")
    stream = streams[0]
    check_channel(channel, stream.codec_context.channels)
    position, frames = _frames_from(container, stream, start_s)
    frames = _without_gaps(frames)
    return position, frames if channel is None else (_one_channel(frame, channel) for frame in frames)


def check_channel(channel: int | None, channels: int) -> None:
    """Raise a MediaError (`no_such_channel`) unless a file with so many channels has this one, counted from 0."""
    if channel is not None and not 0 <= channel < channels:
        raise MediaError("no_such_channel", f"there is no channel {channel}: the file has {channels}, counted from 0")


def first_sound(container: Any, stream: Any) -> float | None:
    """The time of the first sound on the container's clock, in seconds; None if it has none. It decodes one frame."""
    for frame in container.decode(stream):
        return None if frame.time is None else float(frame.time)
    return None


def resampled(frames: Iterator[Any], *, form: str, layout: str | None = None, rate: int | None = None) -> Iterator[Any]:
    """The samples of frames in one format, as arrays of shape (samples, channels), `form` being a packed format.

    Frames may change their rate or layout (chained Ogg, AAC whose extension shows late): each stretch is converted
    alone.
    """
    import av

    resampler, shape = None, None
    for frame in frames:
        layout, rate = layout or frame.layout.name, rate or frame.sample_rate
        if shape != (shape := (frame.format.name, frame.layout.name, frame.sample_rate)):
            yield from _arrays(resampler, None)
            resampler = av.AudioResampler(format=form, layout=layout, rate=rate)
        yield from _arrays(resampler, frame)
    yield from _arrays(resampler, None)


def heard(frames: Iterator[Any], rate: int) -> Iterator[Any]:
    """The samples of frames at one rate as models hear them: numbers, the mean of all channels.

    FFmpeg's own mix is another: of two equal channels it makes one that is 1.41 times as loud, and of those of an array
    of microphones it leaves one out, as that of a subwoofer.
    """
    for _, stretch in groupby(frames, key=lambda frame: frame.layout.name):
        for block in resampled(stretch, form="flt", rate=rate):
            yield block[:, 0] if block.shape[1] == 1 else block.mean(axis=1)


def flac_of(path: Path) -> tuple[bytes, int]:
    """The sound of a file in its own rate and channels, as the bytes of a FLAC file of 16 bits; and its samples.

    Raises:
        MediaError: `no_audio_stream`, `undecodable`: it has no sound, or its rate or channels change.
    """
    import numpy as np

    seen = set()

    def noted(frames: Iterator[Any]) -> Iterator[Any]:
        for frame in frames:
            seen.add((frame.sample_rate, frame.layout.name))
            yield frame

    with open_media(path) as container:
        _, frames = sound_from(container)
        blocks = list(resampled(noted(frames), form="s16"))
    if len(seen) != 1 or not blocks:
        raise MediaError("undecodable", f"{path}: it has no sound, or its rate or channels change")
    samples = np.concatenate(blocks)
    [(rate, _)] = seen
    return encoded(samples, rate), len(samples)


def _arrays(resampler: Any, frame: Any) -> Iterator[Any]:
    if resampler is not None:
        for block in resampler.resample(frame):
            yield block.to_ndarray().reshape(-1, block.layout.nb_channels)


def _frames_from(container: Any, stream: Any, start_s: float) -> tuple[float, Iterator[Any]]:
    frames = container.decode(stream)
    if start_s <= _PREROLL_S or is_chained(container):
        return 0.0, frames
    first = next(frames, None)
    if first is None or first.time is None:
        return 0.0, _joined(first, frames)
    origin = float(first.time)
    wanted = origin + start_s - _PREROLL_S
    for arrive in (_walked,) if is_walked(container, stream) else (_sought, _walked):
        found = arrive(container, stream, wanted)
        frame = next(found, None)
        if frame is not None and frame.time is not None and frame.time - origin <= start_s:
            return float(frame.time) - origin, _joined(frame, found)
    _rewind(container, stream)
    return 0.0, container.decode(stream)


def is_walked(container: Any, stream: Any) -> bool:
    """Whether a seek lands near a time, not at it: packets are then counted from the start, without decoding them."""
    name = container.format.name
    return name in _WALKED or (name in _WALKED_UNLESS_PCM and not codec_name(stream).startswith("pcm_"))


def is_chained(container: Any) -> bool:
    """Whether its times begin anew in the middle, as in Ogg files that were joined."""
    if container.format.name != "ogg":
        return False
    with raw_file(container) as file:
        pages = ogg_pages_of(file)
    return pages is not None and len(pages.links) > 1


def _sought(container: Any, stream: Any, time: float) -> Iterator[Any]:
    """The frames after a seek. It may land inside a frame of the codec: what cannot be decoded at first is left out."""
    import av

    container.seek(int(time / stream.time_base), stream=stream, backward=True, any_frame=False)
    decoded = False
    for packet in container.demux(stream):
        try:
            frames = packet.decode()
        except av.error.InvalidDataError:
            if decoded:
                raise
            continue
        decoded = decoded or bool(frames)
        yield from frames


def _walked(container: Any, stream: Any, time: float) -> Iterator[Any]:
    """The frames from the packet that lies at a time on; the packets before it are not decoded."""
    _rewind(container, stream)
    for packet in container.demux(stream):
        if packet.pts is not None and float((packet.pts + (packet.duration or 0)) * packet.time_base) < time:
            continue
        yield from packet.decode()


def _rewind(container: Any, stream: Any) -> None:
    container.seek(stream.start_time or 0, stream=stream, backward=True, any_frame=False)


def _joined(first: Any, rest: Iterator[Any]) -> Iterator[Any]:
    if first is not None:
        yield first
    yield from rest


def _without_gaps(frames: Iterator[Any]) -> Iterator[Any]:
    """Fill what the times leave out with silence, so that positions can be counted in samples."""
    end: float | None = None
    for frame in frames:
        if frame.time is not None and end is not None and _GAP_S < frame.time - end <= _LONGEST_GAP_S:
            yield _silence(frame, frame.time - end)
        yield frame
        if frame.time is not None:
            end = float(frame.time) + frame.samples / frame.sample_rate


def _silence(like: Any, seconds: float) -> Any:
    import av
    import numpy as np

    shape = like.to_ndarray()
    rows = shape.shape[0]
    columns = round(seconds * like.sample_rate) * (shape.shape[1] // like.samples)
    level = 128 if like.format.name in ("u8", "u8p") else 0
    silence = np.full((rows, columns), level, shape.dtype)
    return _copied_times(av.AudioFrame.from_ndarray(silence, format=like.format.name, layout=like.layout.name), like)


def _one_channel(frame: Any, channel: int) -> Any:
    import av
    import numpy as np

    samples = frame.to_ndarray()
    one = samples[channel : channel + 1] if frame.format.is_planar else samples[:, channel :: frame.layout.nb_channels]
    made = av.AudioFrame.from_ndarray(np.ascontiguousarray(one), format=frame.format.name, layout="mono")
    return _copied_times(made, frame)


def _copied_times(made: Any, frame: Any) -> Any:
    made.sample_rate = frame.sample_rate
    made.pts, made.time_base = frame.pts, frame.time_base or Fraction(1, frame.sample_rate)
    return made
