"""How fast long work goes on, for whoever waits for it without a terminal."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

EVERY_S = 30.0
"""Seconds from one line to the next."""

Clock = Callable[[], float]
Progress = Callable[[int, int | None], None]
"""Called with how much is done, and of how much; None: it is not known of how much."""


@dataclass(slots=True)
class Pace:
    """How long the steps of work take, with whatever lies between them; the first one, which is slower than others, is
    not counted."""

    clock: Clock = time.monotonic
    _first: tuple[int, float] | None = field(default=None)
    _last: tuple[int, float] | None = field(default=None)

    def stepped(self, step: int) -> None:
        self._last = (step, self.clock())
        if self._first is None:
            self._first = self._last

    def left_s(self, step: int, of: int) -> float | None:
        """Seconds from a step to the last one; None: it cannot be told yet."""
        if self._first is None or self._last is None or self._last[0] == self._first[0]:
            return None
        each = (self._last[1] - self._first[1]) / (self._last[0] - self._first[0])
        return each * (of - step)


class PaceLines:
    """Calls of `progress(done, of)` as a line for every half minute in which nothing else was told.

    Args:
        tell: Called with what is done, such as `300 of 2,000 rows`, and the seconds that are left, as far as known.
        amount: Writes a number of what is counted, without its noun.
        noun: `rows`; "": the amount says it.
    """

    def __init__(
        self, tell: Callable[[str, float | None], None], noun: str, *, amount: Callable[[int], str] = "{:,}".format,
        clock: Clock = time.monotonic,
    ) -> None:  # fmt: skip
        self._tell, self._noun, self._amount, self._clock = tell, noun, amount, clock
        self._pace = Pace(clock)
        self._done = 0
        self._told_at = clock()

    def __call__(self, done: int, of: int | None) -> None:
        if done < self._done:  # another part of the work begins
            self._pace = Pace(self._clock)
        self._done = done
        self._pace.stepped(done)
        if self._clock() - self._told_at < EVERY_S or done == of:
            return
        counted = self._amount(done) if of is None else f"{self._amount(done)} of {self._amount(of)}"
        self._tell(f"{counted} {self._noun}".rstrip(), None if of is None else self._pace.left_s(done, of))
        self.told()

    def told(self) -> None:
        """Something else was told: half a minute begins."""
        self._told_at = self._clock()


def with_left(text: str, left_s: float | None) -> str:
    """A text with the time that is left, where it is known."""
    return text if not left_s else f"{text}; {_duration(left_s)} left"


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours:,} h {minutes:02d} min"
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"
