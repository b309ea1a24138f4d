"""The findings of a format's validator, for one row and for a whole file.

A `Finding` names the row, the column, the value, what is wrong and what the consumer does about it; `stage` is the
stage of the consumer at which it does. A `Problem` is the constant part of a finding: every format lists its own in one
table, so that the row-wise and the vectorised validator report the same problems.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Severity = Literal["error", "warning"]
Outcome = Literal["kept", "deleted", "replaced", "crashed"]
"""What the consumer does with a row: it keeps it (as it is, or wrongly), deletes it from the data set, trains on a
random other row in its place, or stops."""

SHOWN_CHARACTERS = 120


@dataclass(frozen=True, slots=True)
class Problem:
    """One possible problem of a row of a format.

    Attributes:
        stage: The stage at which the consumer encounters it, in the consumer's terms.
        severity: `error` if the row or the file is lost, `warning` if it is used differently from what it says.
        what: What is wrong.
        consequence: What the consumer does.
        outcome: The same in one word.
        mend: What to do about it.
    """

    stage: str
    severity: Severity
    what: str
    consequence: str
    outcome: Outcome = "kept"
    mend: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    """One problem of one row. `row` counts from 1: the line of a JSONL file, else the element; 0 is the whole file.

    `position` is the character of the line at which it cannot be read, counted from 1.
    """

    row: int
    stage: str
    severity: Severity
    code: str
    message: str
    column: str | None = None
    value: str | None = None
    outcome: Outcome = "kept"
    mend: str = ""
    position: int | None = None


def outcome_of(findings: Iterable[Finding]) -> Outcome:
    """What the consumer does with a row that has these findings: the first stage that loses it decides."""
    lost = [each for each in findings if each.outcome != "kept"]
    return min(lost, key=lambda each: each.stage).outcome if lost else "kept"


def finding(
    problems: Mapping[str, Problem],
    code: str,
    row: int,
    *,
    detail: str = "",
    column: str | None = None,
    value: Any = None,
    position: int | None = None,
) -> Finding:
    """Build the finding of a problem in a row; `detail` goes between the problem and its consequence."""
    problem = problems[code]
    what = f"{problem.what}: {detail}" if detail else problem.what
    message = f"{what}; {problem.consequence}" if problem.consequence else what
    named = None if value is None else shown(value)
    outcome, mend = problem.outcome, problem.mend
    return Finding(row, problem.stage, problem.severity, code, message, column, named, outcome, mend, position)


def shown(value: Any) -> str:
    """Format a value for printing: short and on one line."""
    text = value if isinstance(value, str) else repr(value)
    text = text if text.isprintable() else repr(text)[1:-1]
    return text if len(text) <= SHOWN_CHARACTERS else text[: SHOWN_CHARACTERS - 1] + "…"


@dataclass(frozen=True, slots=True)
class Change:
    """A row that was mended: its number, the codes that are gone, and the row before and after, as JSON."""

    row: int
    codes: tuple[str, ...]
    before: str
    after: str


@dataclass(slots=True)
class Summary:
    """The counts of a validated file, with the first findings of every code.

    Attributes:
        changes: The rows that differ from the file that this one was mended from.
    """

    format: str
    task: str | None
    task_detected: bool = False
    rows: int = 0
    rows_with_errors: int = 0
    errors: int = 0
    warnings: int = 0
    counts: dict[str, int] = field(default_factory=dict)
    examples: list[Finding] = field(default_factory=list)
    examples_per_code: int = 20
    changes: list[Change] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        """Whether no finding is an error."""
        return self.errors == 0

    def add(self, findings: Iterable[Finding], *, is_row: bool = True) -> None:
        """Add the findings of one row, or those of the whole file."""
        self.rows += is_row
        failed = False
        for item in findings:
            self.counts[item.code] = self.counts.get(item.code, 0) + 1
            if self.counts[item.code] <= self.examples_per_code:
                self.examples.append(item)
            if item.severity == "error":
                self.errors, failed = self.errors + 1, True
            else:
                self.warnings += 1
        self.rows_with_errors += failed and is_row
