"""`unified`: `{"id", "text", "audio", "video", "modality"}`, as REAP-OMNI's scripts and our own view write it.

The modality of a row that states another than its media allows (the old scripts wrote `mixed` for whatever they were
not told) is that of its media; what it stated is kept in `extra` as `stated_modality`. `NaN` is null.
"""

from __future__ import annotations

from ...candidate import bad_cell
from .records import Columns, RecordsReader, Shape


def reshape(columns: Columns) -> Shape:
    """Raises RowError for a conversation: that is another format."""
    if columns.has("messages", "conversations"):
        raise bad_cell("messages", "a conversation", "a unified row; read it as msswift", reason="other_format")
    return Shape()


class UnifiedReader(RecordsReader):
    """One row, one sample."""

    reshape = staticmethod(reshape)
