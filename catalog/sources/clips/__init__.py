"""Media that is fetched clip by clip: direct links, and videos of YouTube through yt-dlp.

options.py        `ClipOptions`: how clips are fetched
stage.py          the stage between a reader and the store: candidates in, candidates with files or rejections out
pool.py           the processes that fetch, and which clip each is at
process.py        one fetching process and what it is asked; killed when it hangs
worker.py         what runs in it: download once, cut what is wanted
direct_url.py     a clip by its own URL
youtube.py        a clip of YouTube, through yt-dlp
ytdlp_errors.py   yt-dlp's errors as reasons
failures.py       why a clip could not be had, and whether to ask again
rate_limit.py     when a host may be asked: requests a minute, rate limits and bot checks, and when to stop asking
network_guard.py  where such a process may connect to, so that a table cannot lead into our own network
availability.py   what the store says: held, gone, alive
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .availability import Alive, Held, alive, read_failures, read_held
    from .failures import REASONS, RETRYABLE, TERMINAL, Reason
    from .options import ClipOptions, require_ytdlp
    from .rate_limit import RateLimiter
    from .stage import fetch_remote

__all__ = [
    "REASONS",
    "RETRYABLE",
    "TERMINAL",
    "Alive",
    "ClipOptions",
    "Held",
    "RateLimiter",
    "Reason",
    "alive",
    "fetch_remote",
    "read_failures",
    "read_held",
    "require_ytdlp",
]

_HOMES = {
    "Alive": "availability",
    "ClipOptions": "options",
    "Held": "availability",
    "REASONS": "failures",
    "RETRYABLE": "failures",
    "RateLimiter": "rate_limit",
    "Reason": "failures",
    "TERMINAL": "failures",
    "alive": "availability",
    "fetch_remote": "stage",
    "read_failures": "availability",
    "read_held": "availability",
    "require_ytdlp": "options",
}
"""Loaded when asked for: the options of the command line are here too, and the stage behind them is heavy."""


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f".{_HOMES[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
