"""When a host may get requests: N per minute, a pause of all jobs after a refusal, none after too many in a row.

A refusal concerns all clips of a host (`rate_limited`, `bot_wall`); a host that cannot be reached for several clips in
a row (`network`, `timeout`) is treated the same. Refusals of requests already sent when a pause began are part of the
refusal that caused it.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

from .options import ClipOptions

YOUTUBE = "YouTube"
"""Name of the host of all YouTube videos, whatever server they come from."""


@dataclass(slots=True)
class _Host:
    next_at: float = 0.0
    paused_at: float = -math.inf
    refusals: int = 0
    failures: int = 0
    closed: str = ""


class RateLimiter:
    """Limits on requests to every host, for all jobs together."""

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
        """Return the time (of the clock) from which the host may get the next request."""
        return self._host(host).next_at

    def closed(self, host: str) -> str:
        """Return the reason why the host gets no more requests; empty while it gets some."""
        return self._host(host).closed

    @property
    def refusal(self) -> str:
        """The refusals once every host is closed (a rate limit or bot check); empty before."""
        closed = {host: state.closed for host, state in self._hosts.items()}
        return ", ".join(f"{host}: {why}" for host, why in closed.items()) if all(closed.values()) else ""

    @property
    def is_over(self) -> bool:
        """Whether reading on is pointless: the only host, YouTube, is closed. A table of links may name others."""
        return list(self._hosts) == [YOUTUBE] and bool(self.refusal)

    def requested(self, host: str) -> None:
        """Record that a request is sent now."""
        if self._options.per_minute:
            state = self._host(host)
            state.next_at = max(state.next_at, self._clock()) + 60.0 / self._options.per_minute

    def answered(self, host: str) -> None:
        """Record an answer about the clip itself."""
        self._host(host).refusals = self._host(host).failures = 0

    def missed(self, host: str, reason: str, *, sent_at: float) -> None:
        """Record that the host did not answer a request sent at `sent_at`; a single failure may be chance."""
        state = self._host(host)
        state.failures += 1
        if state.failures >= self._options.max_refusals:
            self.refused(host, reason, sent_at=sent_at)

    def refused(self, host: str, reason: str, *, sent_at: float) -> None:
        """Record that the host refused a request sent at `sent_at`."""
        state = self._host(host)
        if sent_at < state.paused_at or state.closed:
            return
        now = self._clock()
        state.refusals += 1
        state.paused_at = now
        if state.refusals >= self._options.max_refusals:
            state.closed = reason
            self._notice(f"{host}: {reason} {state.refusals} times in a row; no more requests to it in this run")
            return
        pause = min(self._options.backoff_s * 2.0 ** (state.refusals - 1), self._options.longest_backoff_s)
        state.next_at = max(state.next_at, now + pause)
        self._notice(f"{host}: {reason}; all jobs pause for {pause:.0f} s")

    def _host(self, host: str) -> _Host:
        return self._hosts.setdefault(host, _Host())
