"""Find, measure, retime and write the packets of a span of a media file, without decoding."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from math import isinf
from typing import Any

SOUND_SLACK = 0.020
"""Seconds by which copied audio may start or end off the span."""
REORDERED = 0.2
"""Seconds by which copied video may extend beyond the span, for frames that earlier ones refer to."""

_EARLIER_S = (0.0, 1.0, 4.0, 16.0)
"""Seconds before the wanted time at which a keyframe is looked for; then the start of the file."""


@dataclass(frozen=True, slots=True)
class Span:
    """A span in seconds on the file's own clock, which need not start at 0; `end` is infinite for the end of the file.

    `first_sound` is the clock's time of the first sound.
    """

    start: float
    end: float
    first_sound: float = 0.0

    @property
    def length(self) -> float:
        return self.end - self.start


def seek(container: Any, stream: Any, seconds: float) -> None:
    """Seek to the last keyframe at or before a time; a newly opened file is at its start already."""
    if seconds > 0:
        container.seek(int(seconds / stream.time_base), stream=stream, backward=True, any_frame=False)


def seek_picture(container: Any, stream: Any, seconds: float) -> None:
    """Seek so that a keyframe at or before a time is still to come.

    A container without an index is searched by its times, and a seek may land behind the keyframe that is needed:
    what comes then can be decoded from the next one on only, and the pictures before that would be lost.
    """
    for earlier in _EARLIER_S:
        if seconds - earlier <= 0:
            break
        seek(container, stream, seconds - earlier)
        first = next(
            (packet for packet in container.demux(stream) if packet.pts is not None and packet.is_keyframe), None
        )
        if first is not None and time(first) <= seconds:
            seek(container, stream, seconds - earlier)
            return
    container.seek(stream.start_time or 0, stream=stream, backward=True, any_frame=False)


def time(packet: Any) -> float:
    """Return the presentation time of a packet in seconds."""
    return float(packet.pts * packet.time_base)


def duration(packet: Any) -> float:
    """Return the duration of a packet in seconds."""
    return float((packet.duration or 0) * packet.time_base)


def inside(packets: Iterator[Any], span: Span) -> Iterator[Any]:
    """Yield the audio packets whose midpoint is in the span."""
    for packet in packets:
        if packet.pts is None or packet.dts is None:
            continue
        midpoint = time(packet) + duration(packet) / 2
        if midpoint >= span.end:
            return
        if midpoint >= span.start:
            yield packet


def fits(packets: list[Any], span: Span) -> bool:
    """Whether audio packets begin and end within `SOUND_SLACK` of the span; the last ones fit an open end."""
    if not packets:
        return False
    begins, ends = time(packets[0]), time(packets[-1]) + duration(packets[-1])
    return abs(begins - span.start) <= SOUND_SLACK and (isinf(span.end) or abs(ends - span.end) <= SOUND_SLACK)


def keyframe(container: Any, stream: Any, start: float, frame: float) -> Any:
    """Return the keyframe packet within one frame of the start, or None."""
    seek_picture(container, stream, start + frame / 2)
    for packet in container.demux(stream):
        if packet.pts is None:
            continue
        if packet.is_keyframe and abs(time(packet) - start) <= frame:
            return packet
        if time(packet) > start + 2 * frame:
            return None
    return None


def picture_packets(container: Any, stream: Any, first: Any, end: float) -> Iterator[Any]:
    """Yield the packets from the keyframe to the last one that is shown, or referred to, before `end`."""
    start = first.pts
    seek_picture(container, stream, time(first) + 0.0005)
    waiting: list[Any] = []
    for packet in container.demux(stream):
        if packet.pts is None or packet.pts < start:
            continue
        if time(packet) < end:
            yield from waiting
            waiting = []
            yield packet
            continue
        waiting.append(packet)
        if packet.is_keyframe or time(packet) > end + REORDERED:
            return


def retimed(out: Any, stream: Any, packets: Iterator[Any], base: Fraction) -> Iterator[Any]:
    """Yield packets as those of a new stream of `out`, whose time 0 is at `base` seconds of the old one."""
    copy = out.add_stream_from_template(stream)
    origin = round(base / stream.time_base)

    def shifted() -> Iterator[Any]:
        for packet in _with_decode_times(packets):
            shift(packet, origin)
            packet.stream = copy
            yield packet

    return shifted()


def _with_decode_times(packets: Iterator[Any]) -> Iterator[Any]:
    """Give the first packets the decode times that Matroska does not store: without its keyframe nothing is decoded.

    FFmpeg derives those times from the packets before it, which after a seek it has not seen.
    """
    waiting: list[Any] = []
    for packet in packets:
        if packet.pts is None:
            continue
        if packet.dts is None:
            waiting.append(packet)
            continue
        for number, early in enumerate(reversed(waiting), start=1):
            early.dts = packet.dts - number * max(1, packet.duration or 0)
        yield from waiting
        waiting = []
        yield packet
    for packet in waiting:
        packet.dts = packet.pts
        yield packet


def mux_by_time(out: Any, *tracks: Iterator[Any]) -> None:
    """Write tracks interleaved by time: players and muxers buffer little."""
    from heapq import merge

    for packet in merge(*tracks, key=lambda packet: float(packet.dts * packet.time_base)):
        out.mux(packet)


def shift(packet: Any, origin: int) -> None:
    """Move a packet back in time, in units of its own time base."""
    packet.pts -= origin
    packet.dts -= origin
