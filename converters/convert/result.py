"""The result of a conversion: rows written, rows refused, and why."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

SHOWN_PROBLEMS = 1000
"""At most this many problems are kept; all are counted."""


@dataclass(frozen=True, slots=True)
class Problem:
    """An input row that is not in the output: `where` is its file and line, `reason` a code."""

    where: str
    reason: str
    detail: str


@dataclass(slots=True)
class ConvertResult:
    """Counts and problems of one conversion.

    Attributes:
        out: The files written; empty if no row was valid.
        read, written: Number of rows.
        reasons: Rows not written, by reason; `duplicate` and `not_drawn` are not problems.
        problems: The first thousand problems.
        warnings: Counts, by code, of values that the consumer would use differently than written.
        left_out: Rows by the name of a field that their sample has and they do not carry.
        field_warnings: A line for each of those fields without which a model learns something else.
        sounds: Rows by where the sound of their videos is: `separate`, `in-video`.
        next_command: The command to run next, if the consumer has one.
    """

    format: str
    to: str
    task: str | None = None
    out: list[Path] = field(default_factory=list)
    read: int = 0
    written: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    problems: list[Problem] = field(default_factory=list)
    warnings: Counter[str] = field(default_factory=Counter)
    left_out: Counter[str] = field(default_factory=Counter)
    field_warnings: list[str] = field(default_factory=list)
    sounds: Counter[str] = field(default_factory=Counter)
    notes: list[str] = field(default_factory=list)
    next_command: str | None = None

    def __repr__(self) -> str:
        out = ", ".join(map(str, self.out)) or "nothing"
        rows = f"{self.written:,} of {self.read:,} rows in {out}, {self.problem_count:,} problems"
        return f"<convert {self.format} to {self.to}: {rows}>"

    @property
    def problem_count(self) -> int:
        """Rows that were refused."""
        return sum(count for reason, count in self.reasons.items() if reason not in ("duplicate", "not_drawn"))

    def refuse(self, problem: Problem) -> None:
        """Count a problem, and keep it up to the limit."""
        self.reasons[problem.reason] += 1
        if len(self.problems) < SHOWN_PROBLEMS:
            self.problems.append(problem)
