"""Spans inside a recording: seconds from its start; null where the span is the whole recording."""

from __future__ import annotations

from pathlib import Path

from ....shards.media.probe import MediaError, probe

TOLERANCE_S = 0.001
"""Manifests round durations; a span that misses the ends by less is the whole."""


def span(start: float, end: float | None, whole: float | None) -> tuple[float | None, float | None]:
    """`start_s` and `end_s` of a sample; `end` None is the recording's end, `whole` its duration where it is known."""
    reaches_end = end is None or (whole is not None and end >= whole - TOLERANCE_S)
    if start <= TOLERANCE_S and reaches_end:
        return None, None
    # A sum such as 0.1 + 0.2 is written as people would write it; a nanosecond is shorter than any sample.
    return round(max(start, 0.0), 9), None if end is None else round(end, 9)


def declared_duration(path: Path) -> float | None:
    """Seconds by the file's own header; None where it has none to tell, and its rejection comes later."""
    try:
        duration = probe(path).fields.get("duration")
    except (MediaError, ValueError):  # ValueError: a name that no file can have
        return None
    return float(duration) if duration is not None else None
