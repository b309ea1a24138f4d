"""Who is told of a run: its record, and who waits for it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from .loop.checkpoints import Checkpoint
from .loop.progress import Observer, Progress


@dataclass(frozen=True, slots=True)
class Observers:
    """Tells the record of a run, and calls `progress` after each step.

    Attributes:
        progress: Called with the number of steps that are over, and their number.
    """

    record: Observer | None = None
    progress: Callable[[int, int], None] | None = None

    def stepped(self, step: int, of: int) -> None:
        if self.record is not None:
            self.record.stepped(step, of)
        if self.progress is not None:
            self.progress(step, of)

    def logged(self, line: dict[str, Any]) -> None:
        if self.record is not None:
            self.record.logged(line)

    def saved(self, checkpoint: Checkpoint, progress: Progress) -> None:
        if self.record is not None:
            self.record.saved(checkpoint, progress)

    def left_out(self, rows: Sequence[tuple[int, Any]]) -> None:
        if self.record is not None:
            self.record.left_out(rows)
