"""Checks measure one sample; they decide nothing (`rules` does).

`measure` returns one row of the `checks` table: each value in a typed, nullable column, null where it does not apply.
Times are in seconds, rates in Hz. Levels and silences describe the sample's span, all other values the whole file.
Bad data is a measurement, never an exception: a decoder's failure is `audio_error = "media/ab/x.flac: message"`.
A new check is one function here and its columns in `COLUMNS`; increase `REVISION` when a value changes its meaning.

    columns.py    the columns of the `checks` table, without Arrow
    schema.py     the same columns as an Arrow schema
    audio.py      audio: a full decode summarised in short frames, from which every value is computed
    decode.py     which decoder reads an audio file, and how far
    video.py      video: decodes and counts every frame of the video stream
    image.py      images: whether they decode, width and height
    text.py       text: lengths, speed relative to the clip, characters that no transcript should contain
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from ...shards.media.fence import MISSING, fenced
from ...shards.media.streams import MediaError
from . import audio, decode, image, text, video
from .columns import COLUMNS, INPUT_COLUMNS, NAMES

__all__ = ["COLUMNS", "INPUT_COLUMNS", "NAMES", "PRELOAD", "REVISION", "lost_row", "measure", "measure_rows"]

PRELOAD = ("numpy", "soundfile")
"""Modules that a measuring process imports before its first clip."""

REVISION = "3"
"""Revision of the set of checks; rows measured under another revision are measured again."""


class _Files:
    """The media files of one sample: measures them and collects the missing ones."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.missing: list[str] = []

    def measure(self, kind: str, path: str, check: Callable[[Path], dict[str, Any]]) -> dict[str, Any]:
        """Return the check's columns with the path prefixed to its errors; empty if the file is missing."""
        try:
            with fenced(path):
                row = _fitting(check(self.root / path), kind)
        except MediaError as error:
            if error.reason != MISSING:
                return {f"{kind}_error": error.detail}
            if path not in self.missing:
                self.missing.append(path)
            return {}
        for key in [key for key, value in row.items() if value and key.endswith("_error")]:
            row[key] = f"{path}: {row[key]}"
        return row


_LARGEST = {"int32": 2**31 - 1, "int64": 2**63 - 1}


def _fitting(row: dict[str, Any], kind: str) -> dict[str, Any]:
    """The columns without numbers that no column holds: a damaged header's, which become the error."""
    for name, value in list(row.items()):
        largest = _LARGEST.get(COLUMNS[name])
        if largest is not None and value is not None and not -largest <= value <= largest:
            row[name] = None
            row[f"{kind}_error"] = row.get(f"{kind}_error") or f"its {name} would be {value}"
    return row


def measure(row: Mapping[str, Any], *, root: Path) -> dict[str, Any]:
    """Measure one sample.

    Args:
        row: The sample columns `INPUT_COLUMNS`, structs as mappings; missing ones count as null.
        root: The store, to which media paths are relative.

    Returns:
        One row of the `checks` table (`schema.CHECKS_SCHEMA`).
    """
    files = _Files(root)
    found: dict[str, Any] = dict.fromkeys(NAMES)
    found.update(id=row.get("id"), dataset=row.get("dataset"), revision=REVISION, measured_at=datetime.now(UTC))
    span = Span(row.get("start_s"), row.get("end_s"), row.get("channel"))
    found.update(_audio_and_video(_path(row, "audio"), _path(row, "video"), span, files))
    picture = _path(row, "image")
    if picture is not None:
        found.update(files.measure("image", picture, image.measure))
    found["more_media_error"] = _further(row.get("more_media") or (), files)
    found["clip_s"] = _clip_seconds(span, found)
    found.update(text.measure(row.get("text"), clip_s=found["clip_s"]))
    found["missing_media"] = files.missing or None
    return found


def measure_rows(rows: list[dict[str, Any]], *, root: str) -> list[dict[str, Any]]:
    """Measure a batch of samples; run by worker processes."""
    return [measure(row, root=Path(root)) for row in rows]


def lost_row(row: dict[str, Any], how: str) -> dict[str, Any] | None:
    """The row of a sample whose media ends the process that decodes it (`how`); None if it has no media."""
    found: dict[str, Any] = dict.fromkeys(NAMES)
    found.update(id=row.get("id"), dataset=row.get("dataset"), revision=REVISION, measured_at=datetime.now(UTC))
    paths = {kind: path for kind in ("audio", "video", "image") if (path := _path(row, kind)) is not None}
    if not paths:
        return None
    found.update({f"{kind}_error": f"{path}: the process that decodes it {how}" for kind, path in paths.items()})
    return found


def _path(row: Mapping[str, Any], kind: str) -> str | None:
    return (row.get(kind) or {}).get("path")


class Span(NamedTuple):
    """The part of its media that a sample is: seconds from the first sound, a channel counted from 0; None: all."""

    start_s: float | None
    end_s: float | None
    channel: int | None


def _audio_and_video(audio_path: str | None, video_path: str | None, span: Span, files: _Files) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if video_path is not None:
        found.update(files.measure("video", video_path, video.measure))
    if audio_path is not None:
        found.update(files.measure("audio", audio_path, lambda path: _audio(path, span)), audio_from="audio")
    if video_path is not None and found.get("video_has_audio"):
        own = span if audio_path is None else span._replace(channel=None)
        inside = files.measure("audio", video_path, lambda path: _audio(path, own))
        found["video_audio_error"] = inside.get("audio_error")
        if audio_path is None:
            found.update(inside, audio_from="video")
    return found


def _audio(path: Path, span: Span) -> dict[str, Any]:
    scan = decode.scan(path, span.channel)
    return {"audio_error": scan.error, **audio.measure(scan, start_s=span.start_s, end_s=span.end_s)}


def _further(media: Any, files: _Files) -> str | None:
    """Return the first error among the media beyond the first of each kind."""
    for item in media:
        kind = item.get("kind")
        check = _FURTHER.get(kind)
        if check is None or item.get("path") is None:
            continue
        row = files.measure(kind, item["path"], check)
        errors = [value for key, value in row.items() if key.endswith("_error") and value]
        if errors:
            return str(errors[0])
    return None


_FURTHER: dict[str | None, Callable[[Path], dict[str, Any]]] = {
    "audio": lambda path: {"audio_error": decode.scan(path).error},
    "video": video.measure,
    "image": image.measure,
}


def _clip_seconds(span: Span, found: Mapping[str, Any]) -> float | None:
    audio_s: float | None
    video_s: float | None
    audio_s, video_s = found["audio_decoded_duration"], found["video_decoded_duration"]
    start, end, _ = span
    if start is None and end is None:
        return video_s if audio_s is None else audio_s
    known = [seconds for seconds in (audio_s, video_s) if seconds is not None]
    if known:
        end = max(known) if end is None else min(end, max(known))
    return None if end is None else max(0.0, end - (start or 0.0))


__all__ = ["CHECKS_SCHEMA", "COLUMNS", "INPUT_COLUMNS", "REVISION", "measure"]
