"""Why a clip could not be fetched: one table of reasons for the event log, the next run and messages.

A terminal reason is a lasting fact about the clip: it is not requested again until the user says so. A retryable one is
temporary: the next run of the same command tries again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Reason:
    """One reason: its code, whether it is terminal, its meaning, and what the user can do, if anything."""

    name: str
    terminal: bool
    meaning: str
    advice: str


_AGAIN = "run the same command again later"

_TABLE = (
    Reason("dead", True, "it was removed, or its account was closed", ""),
    Reason(
        "private",
        True,
        "it is private, or the host refuses access",
        "--cookies FILE of an account with access, with --retry private",
    ),
    Reason(
        "geo_blocked",
        True,
        "it is blocked in this country",
        "--proxy URL in a country where it is available, with --retry geo_blocked",
    ),
    Reason(
        "age_restricted",
        True,
        "it is available to signed-in adults only",
        "--cookies FILE of such an account, with --retry age_restricted",
    ),
    Reason(
        "members_only",
        True,
        "it is available to members or buyers only",
        "--cookies FILE of such an account, with --retry members_only",
    ),
    Reason("no_audio", True, "it has no audio stream", ""),
    Reason("no_video", True, "it has no video stream", ""),
    Reason("too_short", True, "the span starts after its end", ""),
    Reason(
        "live", True, "it is a live stream, was one until now, or is not released yet", "--retry live once it is over"
    ),
    Reason("not_media", True, "the URL does not return media", "open the URL in a browser"),
    Reason(
        "private_address",
        True,
        "the URL leads into a private network",
        "if you trust the table, --private-hosts with --retry private_address",
    ),
    Reason("too_large", True, "it is larger than 2 GiB", ""),
    Reason("incomplete", False, "only a part of it arrived", _AGAIN),
    Reason("rate_limited", False, "the host limits the rate of requests", f"{_AGAIN}, with --per-minute N"),
    Reason("bot_wall", False, "the host asks for proof that you are not a bot", f"{_AGAIN}, or with --cookies FILE"),
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
"""Reasons that concern all clips of a host, not this one."""
UNREACHED = frozenset({"network", "timeout"})
"""Reasons that concern all clips of a host if they occur several times in a row."""


class ClipError(Exception):
    """A clip cannot be fetched; `reason` is a key of `REASONS`, `detail` is for people."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail
