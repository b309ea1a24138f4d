"""Rows that cannot be trained on: each is named, with what is wrong and what to do; none is changed or replaced."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ...errors import ProblemsFound

REFUSE, LEAVE_OUT = "refuse", "leave_out"
BAD_ROWS = (REFUSE, LEAVE_OUT)
"""What is done where a row is bad: the run stops, or goes on without it and counts it."""


class BadRow(Exception):
    """A row that cannot be trained on as it is.

    Attributes:
        reason: One word for counts: `missing_media`, `unreadable_media`, `too_long` ...
        detail: What was found and what to do, for people; it names column and value.
    """

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A row that a run goes on without: a line of `rows_left_out.jsonl`."""

    id: str
    reason: str
    detail: str

    def record(self) -> dict[str, Any]:
        return asdict(self)


class BadRows(ProblemsFound):
    """A run was to stop at rows that cannot be trained on.

    Attributes:
        rows: They.

    Args:
        flag: What to type to go on without them.
        of: How many rows there are, where that is known: without all of them there is nothing to go on with.
    """

    def __init__(
        self, where: str, rows: Sequence[LeftOut], *, flag: str = "--set data.bad_rows=leave_out", of: int | None = None
    ) -> None:
        first = rows[0]
        more = f"; {len(rows) - 1:,} more rows have such problems" if len(rows) > 1 else ""
        hint = f"mend the data and export it again, or go on without such rows: {flag}"
        if len(rows) == of:
            more = f"; no row of {of:,} can be taken"
            hint = "name an export for this command, or a model that reads its rows: triptych exports list"
        super().__init__(f"{where}: row {first.id}: {first.reason}: {first.detail}{more}", hint=hint)
        self.rows = tuple(rows)
