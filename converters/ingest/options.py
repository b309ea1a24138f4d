"""How candidates are ingested: limits, what is stored already, conflicts, progress."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class IngestOptions:
    """How candidates are ingested.

    Attributes:
        defaults: Column values shared by every sample of the dataset (panel, task, language, license ...).
        limit: Stop once the store holds this many samples of the selection; None: no limit.
        limit_seconds: Stop once the samples of the selection have this total duration.
        held, held_seconds: Samples of the selection already in the store, and their duration.
        count_known: Count stored samples when the stream reaches them instead of beforehand.
        length_of: Duration in seconds of a stored sample by id, for samples that are not read again.
        link: Reference media at its current path instead of copying it.
        on_conflict: `reject` or `update` when a known id arrives with different content.
        compare: What makes two rows with the same id equal: `content`, `row` or `origin` (see stored_ids.py).
        progress: Called with the number of samples stored or in progress, and of candidates tried.
    """

    defaults: Mapping[str, Any] = field(default_factory=dict)
    limit: int | None = None
    limit_seconds: float | None = None
    held: int = 0
    held_seconds: float = 0.0
    count_known: bool = False
    length_of: Callable[[str], float] = lambda identity: 0.0
    link: bool = False
    on_conflict: str = "reject"
    compare: str = "content"
    progress: Callable[[int, int], None] | None = None
