"""The lines of `log.txt` that tell how far a run has come, as whoever waits for it is told them."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any


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
        told = f"{self.where}: {self.short or self.what}"
        return told if not self.left_s else f"{told}; {_duration(self.left_s)} left"


Lines = Callable[[RunLine], None]

_MOST = 4
"""Scores that are told of an evaluation; the log has all."""


@dataclass(slots=True)
class Pace:
    """How long the steps of a run take, evaluations and checkpoints between them included; the first one, which is
    slower than others, is not counted."""

    clock: Callable[[], float] = time.monotonic
    _first: tuple[int, float] | None = field(default=None)
    _last: tuple[int, float] | None = field(default=None)

    def stepped(self, step: int) -> None:
        self._last = (step, self.clock())
        if self._first is None:
            self._first = self._last

    def left_s(self, step: int, of: int) -> float | None:
        """Seconds from a step to the last one."""
        if self._first is None or self._last is None or self._last[0] == self._first[0]:
            return None
        each = (self._last[1] - self._first[1]) / (self._last[0] - self._first[0])
        return each * (of - step)


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


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours:,} h {minutes:02d} min"
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"
