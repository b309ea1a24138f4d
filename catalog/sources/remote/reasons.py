"""Why a clip could not be had: one table for the ledger, the next run and the people who read either.

A terminal reason is a fact about the clip: it is not asked again until somebody says so. A retryable one is a fact
about the day: the next run of the same command asks again by itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Reason:
    """One reason: its code, whether it ends the matter, what it says of the clip, and what may be done."""

    name: str
    terminal: bool
    says: str
    then: str


_AGAIN = "run the same command again later"

_TABLE = (
    Reason("dead", True, "it was removed, or its account was", "nothing brings it back"),
    Reason(
        "private", True, "it is private, or the host refuses access", "--cookies FILE of an account that may see it"
    ),
    Reason("geo_blocked", True, "it is blocked in this country", "--proxy URL in a country where it is shown"),
    Reason("age_restricted", True, "it is shown to signed-in adults only", "--cookies FILE of such an account"),
    Reason("members_only", True, "only those who joined or paid can see it", "--cookies FILE of such an account"),
    Reason("no_audio", True, "it has no sound", "nothing: the sample needs it"),
    Reason("no_video", True, "it has no picture", "nothing: the sample needs it"),
    Reason("too_short", True, "the span lies beyond its end", "compare the span with the corpus's own table"),
    Reason("live", True, "it is a live stream, or not yet shown", "--retry live once it is over"),
    Reason("not_media", True, "what the address gives is no media", "open the address in a browser"),
    Reason("too_large", True, "it is larger than the limit", "raise the limit and --retry too_large"),
    Reason("rate_limited", False, "the host asks for fewer requests", f"{_AGAIN}, with fewer --jobs"),
    Reason("bot_wall", False, "the host wants proof of a person", f"{_AGAIN}, or with --cookies FILE"),
    Reason("network", False, "the host could not be reached", _AGAIN),
    Reason("timeout", False, "it took too long", _AGAIN),
    Reason(
        "extractor_failed", False, "yt-dlp could not read the page", "pip install -U 'triptych[youtube]', then again"
    ),
)

REASONS: Mapping[str, Reason] = {reason.name: reason for reason in _TABLE}
TERMINAL = frozenset(reason.name for reason in _TABLE if reason.terminal)
RETRYABLE = frozenset(REASONS) - TERMINAL
WALLS = frozenset({"rate_limited", "bot_wall"})
"""Answers that mean all clips of a host, not this one."""


class ClipError(Exception):
    """A clip that cannot be had; `reason` is a key of `REASONS`, `detail` is for people."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail
