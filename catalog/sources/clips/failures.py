"""Why a clip could not be had: one table for the event log, the next run and the people who read either.

A terminal reason is a fact about the clip: it is not asked again until somebody says so. A retryable one is a fact
about the day: the next run of the same command asks again by itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Reason:
    """One reason: its code, whether it ends the matter, what it says of the clip, and what may be done, if anything."""

    name: str
    terminal: bool
    says: str
    then: str


_AGAIN = "run the same command again later"

_TABLE = (
    Reason("dead", True, "it was removed, or its account was", ""),
    Reason(
        "private",
        True,
        "it is private, or the host refuses access",
        "--cookies FILE of an account that may see it, with --retry private",
    ),
    Reason(
        "geo_blocked",
        True,
        "it is blocked in this country",
        "--proxy URL in a country where it is shown, with --retry geo_blocked",
    ),
    Reason(
        "age_restricted",
        True,
        "it is shown to signed-in adults only",
        "--cookies FILE of such an account, with --retry age_restricted",
    ),
    Reason(
        "members_only",
        True,
        "only those who joined or paid can see it",
        "--cookies FILE of such an account, with --retry members_only",
    ),
    Reason("no_audio", True, "it has no sound", ""),
    Reason("no_video", True, "it has no picture", ""),
    Reason("too_short", True, "the span lies beyond its end", ""),
    Reason("live", True, "it is a live stream, or not yet shown", "--retry live once it is over"),
    Reason("not_media", True, "what the address gives is no media", "open the address in a browser"),
    Reason(
        "private_address",
        True,
        "the table leads into a network of our own",
        "where you trust the table, --private-hosts with --retry private_address",
    ),
    Reason("too_large", True, "it is larger than 2 GiB", ""),
    Reason("rate_limited", False, "the host asks for fewer requests", f"{_AGAIN}, with --per-minute N"),
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
REFUSALS = frozenset({"rate_limited", "bot_wall"})
"""Answers that mean all clips of a host, not this one."""
UNREACHED = frozenset({"network", "timeout"})
"""What means all clips of a host where it comes several times in a row."""


class ClipError(Exception):
    """A clip that cannot be had; `reason` is a key of `REASONS`, `detail` is for people."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail
