"""Samples as clips, and clips through an aligner; runs in worker processes.

A row has the columns `CLIP_COLUMNS`. What is returned for it has `id` and either `words` and `phones`, as JSON in
seconds of the sample's media, or `reason` and `detail`. Whatever a file or an aligner does with one sample, the others
are aligned: a decoder's failure is that sample's reason, and so is the end of the process.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ....shards.engine.engine import Rows
from ....shards.media.cut import Cut, decode_cut
from ....shards.media.fence import MISSING, fenced
from ....shards.media.streams import MediaError
from ...candidate import RowError
from ...readers.alignments.interval import Interval, as_json
from .aligner import AlignerSettings, Clip, Times, aligner_of

CLIP_COLUMNS = ("id", "text", "language", "speaker", "audio", "video", "start_s", "end_s", "channel")


def align_rows(rows: Rows, *, root: str, settings: AlignerSettings, language: str | None) -> Rows:
    """Align a batch of samples.

    Args:
        root: The store, to which media paths are relative.
        language: The language of samples that do not say theirs.
    """
    clips: list[Clip] = []
    found: dict[str, dict[str, Any]] = {}
    for row in rows:
        try:
            clips.append(_clip(row, Path(root), language))
        except RowError as refusal:
            found[row["id"]] = _refused(row["id"], refusal)
    starts = {row["id"]: row["start_s"] or 0.0 for row in rows}
    for clip, times in zip(clips, aligner_of(settings).align(clips) if clips else [], strict=True):
        if isinstance(times, RowError):
            found[clip.id] = _refused(clip.id, times)
        else:
            found[clip.id] = _aligned(clip, times, starts[clip.id])
    return [found[row["id"]] for row in rows]


def lost_row(row: dict[str, Any], how: str) -> dict[str, Any]:
    """The result of a sample that ends the process which aligns it."""
    return _refused(row["id"], RowError("crashed", f"the process that aligned it {how}"))


def _clip(row: dict[str, Any], root: Path, language: str | None) -> Clip:
    spoken = row["language"] or language
    if not spoken:
        raise RowError("no_language", "the sample does not say its language: --language en, if it is English")
    media = row["audio"] if row["audio"] is not None else row["video"]
    try:
        with fenced(media["path"], reason="undecodable"):
            cut = Cut(media["sha256"], root / media["path"], row["start_s"], row["end_s"], row["channel"])
            sound = decode_cut(cut)
    except MediaError as error:
        raise RowError(error.reason if error.reason != MISSING else "missing_media", error.detail) from None
    return Clip(row["id"], sound, row["text"], spoken, row["speaker"])


def _aligned(clip: Clip, times: Times, start_s: float) -> dict[str, Any]:
    late = next((each for each in (*times.words, *times.phones) if each.end_s > clip.seconds + _LATE_S), None)
    if late is not None:
        detail = f"{late.text!r} ends at {late.end_s:g} s, the clip at {clip.seconds:g} s"
        return _refused(clip.id, RowError("beyond_media", detail))
    words, phones = (_moved(each, start_s, clip.seconds) for each in (times.words, times.phones))
    return {"id": clip.id, "words": as_json(words), "phones": as_json(phones) if phones else None}


_LATE_S = 0.1
"""Aligners round the end up to a whole frame."""


def _moved(intervals: list[Interval], start_s: float, seconds: float) -> list[Interval]:
    """The intervals in seconds of the media; none ends later than the clip."""
    return [
        Interval(each.text, round(start_s + each.start_s, 6), round(start_s + min(each.end_s, seconds), 6))
        for each in intervals
    ]


def _refused(identity: str, refusal: RowError) -> dict[str, Any]:
    return {"id": identity, "reason": refusal.reason, "detail": refusal.detail}
