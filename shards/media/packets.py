"""Packets of a span of a media file: found, measured, moved in time, written in order. Nothing is decoded here."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

SOUND_SLACK = 0.020
"""Seconds that a copied sound may begin or end beside the span."""
REORDERED = 0.2
"""Seconds by which a copied picture may outlast the span, for frames that earlier ones refer to."""


@dataclass(frozen=True, slots=True)
class Span:
    """The span in seconds of the file's own time line, whose first moment need not be 0."""

    start: float
    end: float

    @property
    def length(self) -> float:
        return self.end - self.start


def pictures(container: Any) -> list[Any]:
    """The video streams that move."""
    return [stream for stream in container.streams.video if not stream.disposition & 0x400]  # not a cover


def seek(container: Any, stream: Any, seconds: float) -> None:
    """To the last keyframe at or before a moment; a file just opened is at its start already."""
    if seconds > 0:
        container.seek(int(seconds / stream.time_base), stream=stream, backward=True, any_frame=False)


def time(packet: Any) -> float:
    """When a packet is shown or heard, in seconds."""
    return float(packet.pts * packet.time_base)


def width(packet: Any) -> float:
    """How long a packet lasts, in seconds."""
    return float((packet.duration or 0) * packet.time_base)


def inside(packets: Iterator[Any], span: Span) -> Iterator[Any]:
    """Packets of a sound whose middle lies in the span."""
    for packet in packets:
        if packet.pts is None or packet.dts is None:
            continue
        middle = time(packet) + width(packet) / 2
        if middle >= span.end:
            return
        if middle >= span.start:
            yield packet


def fits(packets: list[Any], span: Span) -> bool:
    """Whether the packets of a sound begin and end within `SOUND_SLACK` of the span."""
    if not packets:
        return False
    begins, ends = time(packets[0]), time(packets[-1]) + width(packets[-1])
    return abs(begins - span.start) <= SOUND_SLACK and abs(ends - span.end) <= SOUND_SLACK


def keyframe(container: Any, stream: Any, start: float, frame: float) -> Any:
    """The keyframe packet within one frame of the start, or None."""
    seek(container, stream, start + frame / 2)
    for packet in container.demux(stream):
        if packet.pts is None:
            continue
        if packet.is_keyframe and abs(time(packet) - start) <= frame:
            return packet
        if time(packet) > start + 2 * frame:
            return None
    return None


def picture_packets(container: Any, stream: Any, first: Any, end: float) -> Iterator[Any]:
    """From the keyframe on to the last packet that is shown, or referred to, before `end`."""
    start = first.pts
    seek(container, stream, time(first) + 0.0005)
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


def moved(out: Any, stream: Any, packets: Iterator[Any], base: Fraction) -> Iterator[Any]:
    """Packets as those of a new stream of `out`, whose time 0 is `base` seconds of the old one."""
    copy = out.add_stream_from_template(stream)
    origin = round(base / stream.time_base)

    def renewed() -> Iterator[Any]:
        for packet in packets:
            if packet.dts is not None:
                shift(packet, origin)
                packet.stream = copy
                yield packet

    return renewed()


def mux_by_time(out: Any, *tracks: Iterator[Any]) -> None:
    """Write tracks so that neither runs ahead: players and muxers hold little back."""
    from heapq import merge

    for packet in merge(*tracks, key=lambda packet: float(packet.dts * packet.time_base)):
        out.mux(packet)


def shift(packet: Any, origin: int) -> None:
    """Move a packet back in time, in units of its own time base."""
    packet.pts -= origin
    packet.dts -= origin
