"""The spellings of a span that tables and manifests of the field use: names of columns, start and end or length.

A spelling is honoured, or the row is refused; a row with the whole file, or with a part of the span, is wrong.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from truth.chirps import RATE, SECONDS

Spelling = Callable[[float | None, float | None], dict[str, Any]]


def _ends(start: str, end: str) -> Spelling:
    return lambda start_s, end_s: {start: start_s, end: end_s}


def _lasts(start: str, length: str) -> Spelling:
    def columns(start_s: float | None, end_s: float | None) -> dict[str, Any]:
        return {start: start_s or 0.0, length: (SECONDS if end_s is None else end_s) - (start_s or 0.0)}

    return columns


def _times(spelling: Spelling, unit: Callable[[float], Any]) -> Spelling:
    def columns(start_s: float | None, end_s: float | None) -> dict[str, Any]:
        return {name: None if value is None else unit(value) for name, value in spelling(start_s, end_s).items()}

    return columns


def _milliseconds(second: float) -> int:
    return round(1000 * second)


def _samples(second: float) -> int:
    return round(RATE * second)


def _clock(second: float) -> str:
    return f"0:00:{second:06.3f}"


SPELLINGS: dict[str, Spelling] = {
    "start_s, end_s": _ends("start_s", "end_s"),
    "start, end": _ends("start", "end"),
    "start_time, end_time": _ends("start_time", "end_time"),
    "begin, end": _ends("begin", "end"),
    "begin_time, end_time": _ends("begin_time", "end_time"),
    "start, duration": _lasts("start", "duration"),
    "start_s, duration": _lasts("start_s", "duration"),
    "start_time, duration": _lasts("start_time", "duration"),
    "begin, duration": _lasts("begin", "duration"),
    "offset, duration": _lasts("offset", "duration"),
    "offset, duration as text": _times(_lasts("offset", "duration"), str),
    "start, end as text": _times(_ends("start", "end"), str),
    "start, end as clock": _times(_ends("start", "end"), _clock),
    "start_ms, end_ms": _times(_ends("start_ms", "end_ms"), _milliseconds),
    "start_ms, duration_ms": _times(_lasts("start_ms", "duration_ms"), _milliseconds),
    "frame_offset, num_frames": _times(_lasts("frame_offset", "num_frames"), _samples),
    "segment_start, segment_end": _ends("segment_start", "segment_end"),
    "onset, offset": _ends("onset", "offset"),
    "tmin, tmax": _ends("tmin", "tmax"),
    "from, to": _ends("from", "to"),
    "Start (s), End (s)": _ends("Start (s)", "End (s)"),
}

COMMON = ("start, end", "start, duration", "offset, duration")
"""The spellings that every layout whose spans are spelled by its writer is tried with."""
