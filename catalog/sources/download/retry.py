"""Bounded retries: exponential backoff with jitter, and `Retry-After`.

A `Retry` holds the limits, a `RetryBudget` spends them on one piece of work (one download, one request). The budget is
exhausted when too many attempts fail in a row, or when too much time passes without a single byte; received bytes
restore it, so a long download over a poor connection continues as long as it makes progress.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from ....errors import NetworkError

FIRST_DELAY = 0.5
"""Seconds before the second attempt, where a `Retry` does not say otherwise."""

PROGRESS_BYTES = 1024 * 1024
"""Bytes that count as progress and restore all attempts; with fewer, a slow host could drag on forever."""


@dataclass(frozen=True, slots=True)
class Retry:
    """The limits of retries, in attempts and seconds.

    Attributes:
        attempts: Failures in a row before giving up.
        connect_attempts: The same for a host that has never answered.
        base: First delay; it doubles with each further one.
        longest: Longest delay between two attempts, even if the host asks for a longer one.
        total: Longest time without a byte, over all attempts.
    """

    attempts: int = 8
    connect_attempts: int = 4
    base: float = field(default_factory=lambda: FIRST_DELAY)
    longest: float = 60.0
    total: float = 300.0


def retry_after_seconds(value: str | None, now: datetime | None = None) -> float | None:
    """Return the seconds in a `Retry-After` header (RFC 9110, 10.2.3: seconds or a date); None if absent or invalid."""
    if value is None:
        return None
    value = value.strip()
    if value.isascii() and value.isdigit():
        return float(value[:9])
    try:
        date = parsedate_to_datetime(value)
    except ValueError:
        return None
    if date.tzinfo is None:
        date = date.replace(tzinfo=UTC)
    return max(0.0, (date - (now or datetime.now(UTC))).total_seconds())


class RetryBudget:
    """The remaining retries for one piece of work."""

    def __init__(
        self,
        retry: Retry,
        *,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._retry = retry
        self._sleep = sleep
        self._clock = clock
        self._jitter = jitter
        self._answered = False
        self._failures = 0
        self._failing_since: float | None = None
        self._received = 0

    def answered(self) -> None:
        """Record that the host answered: it exists, so all attempts are worthwhile."""
        self._answered = True

    def received(self, count: int) -> None:
        """Record that `count` bytes arrived."""
        self._failing_since = None
        self._received += count
        if self._received >= PROGRESS_BYTES:
            self._received = 0
            self._failures = 0

    def failed(self, url: str, cause: str, *, retry_after: float | None = None) -> None:
        """Sleep until the next attempt is due.

        Raises:
            NetworkError: The retry budget is exhausted.
        """
        now = self._clock()
        if self._failing_since is None:
            self._failing_since = now
        self._failures += 1
        elapsed = now - self._failing_since
        delay = self._delay(retry_after)
        allowed = self._retry.attempts if self._answered else self._retry.connect_attempts
        if self._failures >= allowed or elapsed + delay > self._retry.total:
            raise NetworkError(
                f"{url}: gave up after {self._failures} attempts in {elapsed:.0f} s: {cause}",
                hint=_hint(retry_after, self._retry.longest),
            )
        self._sleep(delay)

    def _delay(self, retry_after: float | None) -> float:
        if retry_after is not None:
            # Never earlier than requested; a little later, so that a cluster's jobs do not all return at once.
            return min(retry_after, self._retry.longest) * (1 + 0.1 * self._jitter())
        delay = min(self._retry.base * 2.0 ** min(self._failures - 1, 30), self._retry.longest)
        return delay * (0.5 + 0.5 * self._jitter())


def _hint(retry_after: float | None, longest: float) -> str:
    if retry_after is not None and retry_after > longest:
        return f"The host asks to wait {retry_after:.0f} s. Run the same command again then; it continues."
    return "Check the connection and run the same command again; it continues. Offline: --mirror or --from PATH."
