"""The type of the column `chunk`: what rows of `term-chunks` say of a chunk beside its sound and text."""

from __future__ import annotations

import pyarrow as pa

TIMES = (
    "term_start_time", "term_end_time", "term_start_time_abs", "term_end_time_abs", "term_duration",
    "extended_start_time", "extended_end_time", "extended_duration", "context_seconds", "actual_extended_start",
    "actual_extended_end",
)  # fmt: skip
"""In seconds; those of the term are null in a chunk without one."""
_TEXTS = pa.list_(pa.string())

CHUNK = pa.struct(
    [("segment_id", pa.string()), ("split", pa.string()), ("terms", _TEXTS), ("other_terms", _TEXTS),
     ("unseen_terms", _TEXTS), ("is_no_term_chunk", pa.bool_())]
    + [(name, pa.float64()) for name in TIMES]
)  # fmt: skip
