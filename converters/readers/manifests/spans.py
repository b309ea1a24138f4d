"""Spans inside a recording: seconds from its start; null if the span is the whole recording."""

from __future__ import annotations

from pathlib import Path

from ....shards.media.probe import MediaError, probe

TOLERANCE_S = 0.001
"""Manifests round durations; a span that misses the ends by no more than this is the whole recording."""


def span(start: float, end: float | None, whole: float | None) -> tuple[float | None, float | None]:
    """`start_s` and `end_s` of a sample; `end` None means the recording's end, `whole` is its duration, if known."""
    reaches_end = end is None or (whole is not None and end >= whole - TOLERANCE_S)
    if start <= TOLERANCE_S and reaches_end:
        return None, None
    # Rounding makes 0.1 + 0.2 come out as 0.3; a nanosecond is shorter than any audio sample.
    return round(max(start, 0.0), 9), None if end is None else round(end, 9)


def declared_duration(path: Path) -> float | None:
    """Duration in seconds from the file's header; None if unreadable, in which case the file is rejected later."""
    try:
        duration = probe(path).fields.get("duration")
    except (MediaError, ValueError):  # ValueError: an invalid file name
        return None
    return float(duration) if duration is not None else None
