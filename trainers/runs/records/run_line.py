"""The lines of `log.txt` that tell how far a run has come, as whoever waits for it is told them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ....shards.pace import with_left


@dataclass(frozen=True, slots=True)
class RunLine:
    """One of them; its text is what the log has, and the time that is left.

    Attributes:
        where: `step 20 of 294`.
        what: `loss 0.1234, lr 0.0001`.
        left_s: Seconds to the last step, as far as can be told.
        short: What is told of it; default: all.
    """

    where: str
    what: str
    left_s: float | None = None
    short: str | None = None

    @property
    def logged(self) -> str:
        return f"{self.where}: {self.what}"

    def __str__(self) -> str:
        return with_left(f"{self.where}: {self.short or self.what}", self.left_s)


Lines = Callable[[RunLine], None]

_MOST = 4
"""Scores that are told of an evaluation; the log has all."""


def step_line(line: Mapping[str, Any], of: int, left_s: float | None) -> RunLine:
    """What a line of metrics tells of the steps since the last one."""
    rates = sorted(set(line["lr"].values()))
    told = " to ".join(f"{rate:.3g}" for rate in dict.fromkeys((*rates[:1], *rates[-1:])))
    return RunLine(f"step {line['step']:,} of {of:,}", f"loss {line['loss']:.4f}, lr {told}", left_s)


def score_line(line: Mapping[str, Any]) -> RunLine:
    """The scores of an evaluation."""
    scores = [f"{name} {value:.4g}" for name, value in line["scores"].items()]
    more = len(scores) - _MOST
    short = f"{', '.join(scores[:_MOST])} and {more} more" if more > 0 else None
    return RunLine(f"step {line['step']:,}", ", ".join(scores), short=short)
