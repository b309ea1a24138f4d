"""When a host may be asked: so many requests a minute, a pause for all after a refusal, and an end after too many.

A refusal is an answer that means all clips of a host (`rate_limited`, `bot_wall`); a host that could not be reached for
several clips in a row (`network`, `timeout`) is treated like one. Answers to requests that were on
their way when a pause began are part of the same refusal.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

from .options import ClipOptions

YOUTUBE = "YouTube"
"""The one host of all its videos, whatever servers it has."""


@dataclass(slots=True)
class _Host:
    next_at: float = 0.0
    paused_at: float = -math.inf
    refusals: int = 0
    failures: int = 0
    closed: str = ""


class RateLimiter:
    """What every job may ask of every host."""

    def __init__(
        self,
        options: ClipOptions,
        notice: Callable[[str], None],
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._options = options
        self._notice = notice
        self._clock = clock
        self._hosts: dict[str, _Host] = {}

    def due(self, host: str) -> float:
        """The moment (of the clock) from which the host may be asked."""
        return self._host(host).next_at

    def closed(self, host: str) -> str:
        """The refusal for which the host is not asked any more; empty while it is."""
        return self._host(host).closed

    @property
    def refusal(self) -> str:
        """What is wrong once every host that is asked refuses for good (a rate limit or bot check); empty before."""
        closed = {host: state.closed for host, state in self._hosts.items()}
        return ", ".join(f"{host}: {why}" for host, why in closed.items()) if all(closed.values()) else ""

    @property
    def is_over(self) -> bool:
        """Whether reading on is no use: the only host is closed. A table of links may still come to another."""
        return list(self._hosts) == [YOUTUBE] and bool(self.refusal)

    def asked(self, host: str) -> None:
        """A request goes out now."""
        if self._options.per_minute:
            state = self._host(host)
            state.next_at = max(state.next_at, self._clock()) + 60.0 / self._options.per_minute

    def answered(self, host: str) -> None:
        """The host spoke of the clip itself."""
        self._host(host).refusals = self._host(host).failures = 0

    def missed(self, host: str, reason: str, *, asked_at: float) -> None:
        """The host could not be reached for what was asked at a moment; once may be chance."""
        state = self._host(host)
        state.failures += 1
        if state.failures >= self._options.patience:
            self.refused(host, reason, asked_at=asked_at)

    def refused(self, host: str, reason: str, *, asked_at: float) -> None:
        """The host refused what was asked at a moment."""
        state = self._host(host)
        if asked_at < state.paused_at or state.closed:
            return
        now = self._clock()
        state.refusals += 1
        state.paused_at = now
        if state.refusals >= self._options.patience:
            state.closed = reason
            self._notice(f"{host}: {reason} {state.refusals} times in a row; the rest is not asked")
            return
        pause = min(self._options.backoff_s * 2.0 ** (state.refusals - 1), self._options.longest_backoff_s)
        state.next_at = max(state.next_at, now + pause)
        self._notice(f"{host}: {reason}; all jobs pause for {pause:.0f} s")

    def _host(self, host: str) -> _Host:
        return self._hosts.setdefault(host, _Host())
