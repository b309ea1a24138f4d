"""`termchunks`: speech cut around terms, as written by the term-level retrieval scripts, and its source utterances.

A chunk has `term_chunk_audio`, `term_chunk_text` and `term_chunk_audio_ground_truth_terms`; a source utterance has
`audio`, `text` and `ground_truth_term`. Either becomes a sample with the terms as `labels` and the task
`term_retrieval`; a chunk without terms (`is_no_term_chunk`) has no labels. All times are kept unchanged in `extra`:
they are relative to the start of the utterance or the recording, not of the chunk.
"""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Any

from ...candidate import bad_cell
from ..tables.cells import as_text, typed
from .records import Columns, RecordsReader, Shape

TASK = "term_retrieval"
_TERMS = ("term_chunk_audio_ground_truth_terms", "ground_truth_term", "ground_truth_terms")


def reshape(columns: Columns) -> Shape:
    """Reshape a row; raises RowError if it has no audio (`no_media`), or has terms but is marked as having none."""
    audio = columns.take("audio", "term_chunk_audio", "audio", "audio_path")
    if not isinstance(audio, str):
        raise bad_cell("term_chunk_audio", audio, "a path", reason="no_media")
    text = as_text(columns.take("text", "term_chunk_text", "text", "src_text"))
    terms = typed("labels", "terms", columns.take("labels", *_TERMS)) or None
    if terms and columns.left.get("is_no_term_chunk") is True:
        raise bad_cell("is_no_term_chunk", terms, "no terms in a chunk marked as having none", reason="bad_value")
    fields: dict[str, Any] = {"text": text, "labels": terms, "task": as_text(columns.take("task", "task")) or TASK}
    fields["language"] = as_text(columns.take("language", "language", "src_lang"))
    # The segment id repeats for each of its terms; the file name of the chunk does not.
    return Shape(fields, [("audio", audio)], name=PurePosixPath(audio).stem or None)


class TermChunksReader(RecordsReader):
    """One sample per chunk."""

    kept_times = ("begin_time", "end_time")
    reshape = staticmethod(reshape)
