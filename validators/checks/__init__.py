"""Checks measure one sample; they decide nothing (`rules` does).

`measure` gives one row of the `checks` table: every figure in a typed, nullable column, null where it does not apply.
Times are seconds, rates Hz. The levels and silences are those of the sample's span, everything else is the file's.
Bad data is a measurement, never an exception: a decoder's failure is `audio_error = "media/ab/x.flac: message"`.
A new check is one function here and its columns in `COLUMNS`; raise `REVISION` when a figure changes its meaning.

    columns.py    the columns of the `checks` table, without Arrow
    schema.py     the same as an Arrow schema
    audio.py      sound: one full decode, from which every figure follows
    riff.py       how many samples a WAV header declares, whatever the file holds
    video.py      every frame of the video stream, counted and let go
    image.py      it decodes, its width and height
    text.py       lengths, speed against the clip, characters that no transcript should hold
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from . import audio, image, text, video
from .columns import COLUMNS, INPUT_COLUMNS, NAMES

__all__ = ["COLUMNS", "INPUT_COLUMNS", "NAMES", "PRELOAD", "REVISION", "measure", "measure_rows"]

PRELOAD = ("numpy", "soundfile")
"""What a process that measures will need at its first clip."""

REVISION = "1"
"""Of the set of checks; rows measured under another revision are measured again."""


class _Files:
    """The media files of one sample: where they lie, which are gone, and what is said of the others."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.missing: list[str] = []

    def measure(self, path: str, check: Callable[[Path], dict[str, Any]]) -> dict[str, Any]:
        """The check's columns with the file's name before its errors; nothing where the file is gone."""
        try:
            row = check(self.root / path)
        except (FileNotFoundError, NotADirectoryError):
            if path not in self.missing:
                self.missing.append(path)
            return {}
        for key in [key for key, value in row.items() if value and key.endswith("_error")]:
            row[key] = f"{path}: {row[key]}"
        return row


def measure(row: Mapping[str, Any], *, root: Path) -> dict[str, Any]:
    """Measure one sample.

    Args:
        row: The sample columns `INPUT_COLUMNS`, structs as mappings; absent ones count as null.
        root: The store, which relative media paths start from.

    Returns:
        One row of the `checks` table (`schema.CHECKS_SCHEMA`).
    """
    files = _Files(root)
    found: dict[str, Any] = dict.fromkeys(NAMES)
    found.update(id=row.get("id"), dataset=row.get("dataset"), revision=REVISION, measured_at=datetime.now(UTC))
    span = (row.get("start_s"), row.get("end_s"))
    found.update(_sound_and_film(_path(row, "audio"), _path(row, "video"), span, files))
    picture = _path(row, "image")
    if picture is not None:
        found.update(files.measure(picture, image.measure))
    found["more_media_error"] = _further(row.get("more_media") or (), files)
    found["clip_s"] = _clip_seconds(span, found)
    found.update(text.measure(row.get("text"), clip_s=found["clip_s"]))
    found["missing_media"] = files.missing or None
    return found


def measure_rows(rows: list[dict[str, Any]], *, root: str) -> list[dict[str, Any]]:
    """Measure a part of the samples; this is what worker processes run."""
    return [measure(row, root=Path(root)) for row in rows]


def _path(row: Mapping[str, Any], kind: str) -> str | None:
    return (row.get(kind) or {}).get("path")


Span = tuple[float | None, float | None]


def _sound_and_film(sound: str | None, film: str | None, span: Span, files: _Files) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if film is not None:
        found.update(files.measure(film, video.measure))
    if sound is not None:
        found.update(files.measure(sound, lambda path: _sound(path, span)), audio_from="audio")
    if film is not None and found.get("video_has_audio"):
        inside = files.measure(film, lambda path: _sound(path, span))
        found["video_audio_error"] = inside.get("audio_error")
        if sound is None:
            found.update(inside, audio_from="video")
    return found


def _sound(path: Path, span: Span) -> dict[str, Any]:
    scan = audio.scan(path)
    return {"audio_error": scan.error, **audio.measure(scan, start_s=span[0], end_s=span[1])}


def _further(media: Any, files: _Files) -> str | None:
    """The first failure among the media beyond the first of each kind."""
    for item in media:
        check = _FURTHER.get(item.get("kind"))
        if check is None or item.get("path") is None:
            continue
        row = files.measure(item["path"], check)
        errors = [value for key, value in row.items() if key.endswith("_error") and value]
        if errors:
            return str(errors[0])
    return None


_FURTHER: dict[str | None, Callable[[Path], dict[str, Any]]] = {
    "audio": lambda path: {"audio_error": audio.scan(path).error},
    "video": video.measure,
    "image": image.measure,
}


def _clip_seconds(span: Span, found: Mapping[str, Any]) -> float | None:
    decoded: float | None = found["audio_decoded_duration"]
    if decoded is None:
        decoded = found["video_decoded_duration"]
    start, end = span
    if start is None and end is None:
        return decoded
    if end is None:
        end = decoded
    return None if end is None else end - (start or 0.0)


__all__ = ["CHECKS_SCHEMA", "COLUMNS", "INPUT_COLUMNS", "REVISION", "measure"]
