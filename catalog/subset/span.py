"""A listed span of a candidate: its fields, and its own name for the media.

A transcript is of the whole sound. With word times it is cut to the words inside the span; without them the span is
refused (`transcript_of_whole`), because the whole text beside a part of the sound would be wrong. What describes a clip
rather than its words (captions, labels, questions) stays as it is: the list says which part it describes.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from ...converters.candidate import Blob, Candidate, RowError
from ...converters.readers.tables.cells import as_text
from ...converters.spans import span_suffix
from ...shards.media.media import scratch_path
from ...shards.sample import SPOKEN_TASKS
from .id_list import Span

TRANSCRIPT_OF_WHOLE = "transcript_of_whole"
_SPOKEN = frozenset({*SPOKEN_TASKS, "vsc"})
"""Tasks whose text may be what is said, word for word."""


def span_of(candidate: Candidate, span: Span, *, task: str | None) -> Candidate:
    """The candidate of a span, with the media of the whole.

    Raises:
        RowError: Its transcript cannot be cut to the span.
    """
    is_clip = any(blob.remote for _, blob in candidate.media)
    fields = {**candidate.fields}
    if (fields.get("task") or task) in _SPOKEN:
        fields |= _spoken(fields, span, is_clip=is_clip)
    if is_clip:
        # Clips are already cut when they are downloaded, and start at 0.
        known = fields.get("extra") or {}
        fields["extra"] = {**known, "clip_start_s": as_text(span[0]), "clip_end_s": as_text(span[1])}
    else:
        fields |= {"start_s": span[0], "end_s": span[1]}
    return replace(candidate, source_id=candidate.source_id + span_suffix(*span), fields=fields)


def _spoken(fields: Mapping[str, Any], span: Span, *, is_clip: bool) -> dict[str, Any]:
    """The text and the aligned words and phones of a span; nothing if they are of this span already."""
    text, words = fields.get("text"), fields.get("words") or []
    if (fields.get("start_s"), fields.get("end_s")) == span:
        return {}
    inside = {name: _inside(fields.get(name) or [], span) for name in ("words", "phones")}
    if not (text or fields.get("translation")):
        return {name: items for name, items in inside.items() if fields.get(name)}
    glue = next((glue for glue in (" ", "") if text == glue.join(word["text"] for word in words)), None)
    if glue is None or is_clip or fields.get("translation"):
        raise RowError(
            TRANSCRIPT_OF_WHOLE,
            f"the transcript is of the whole, and no word times say what is said from {span[0]:g} to {span[1]:g} s",
        )
    return {"text": glue.join(word["text"] for word in inside["words"]) or None, **inside}


def _inside(items: list[dict[str, Any]], span: Span) -> list[dict[str, Any]]:
    """The words or phones whose middle is in the span."""
    return [item for item in items if span[0] <= (item["start_s"] + item["end_s"]) / 2 < span[1]]


def media_of_span(blob: Blob, span: Span | None, *, is_last: bool) -> Blob:
    """The medium of one of several spans: the last takes the file itself, the others a link to it."""
    if blob.remote is not None and span is not None:
        blob = replace(blob, remote=replace(blob.remote, start_s=span[0], end_s=span[1]))
    if is_last or not blob.temporary or blob.path is None:
        return blob
    return replace(blob, path=_second_name(blob.path))


def _second_name(path: Path) -> Path:
    """Link or copy the file to another temporary name, because the store moves the file that it takes."""
    other = scratch_path(path.parent)
    try:
        os.link(path, other)
    except OSError:
        shutil.copyfile(path, other)
    return other
