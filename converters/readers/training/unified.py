"""`unified`: `{"id", "text", "audio", "video", "modality"}`, as written by REAP-OMNI's scripts and our own view.

If a row states a modality that its media does not allow (the old scripts wrote `mixed` by default), the modality
follows from the media, and the stated one is kept in `extra` as `stated_modality`. `NaN` is null. The fields of
`extra`, where our own view puts what is no column of the sample, go back to where they came from.
"""

from __future__ import annotations

from ...candidate import bad_cell
from .records import Columns, RecordsReader, Shape


def reshape(columns: Columns) -> Shape:
    """Reshape a row; raises RowError for a conversation, which is another format."""
    if columns.has("messages", "conversations"):
        raise bad_cell("messages", "a conversation", "a unified row; read it as msswift", reason="other_format")
    further = columns.left.get("extra")
    if isinstance(further, dict):
        del columns.left["extra"]
        return Shape(extra=further)
    return Shape()


class UnifiedReader(RecordsReader):
    """One sample per row."""

    has_channels = True
    reshape = staticmethod(reshape)
