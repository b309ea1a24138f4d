"""What is wrong with a run or unusual, with what to do."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ....errors import UsageError

ERROR, WARNING = "error", "warning"


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong with a run, or unusual.

    Attributes:
        level: `error`: the run must not begin like this; or `warning`.
        name: For programs: `learning_rate`, `overlap` ...
        text: What was found, with its numbers.
        advice: What to do.
    """

    level: str
    name: str
    text: str
    advice: str


def refuse(findings: Iterable[Finding]) -> None:
    """Refuse a run for its first error.

    Raises:
        UsageError: There is one.
    """
    for each in findings:
        if each.level == ERROR:
            raise UsageError(each.text, hint=each.advice)


def ordered(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """Errors first, otherwise as they were found."""
    return tuple(sorted(findings, key=lambda each: each.level != ERROR))
