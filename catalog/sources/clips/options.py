"""Options for fetching clips."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from ....errors import UsageError
from ....options import Option, Options
from .failures import REASONS

CLIPS = "Clips (urls, youtube)"
SCHEMES = ("http", "https", "socks4", "socks5", "socks5h")


@dataclass(frozen=True, kw_only=True)
class ClipOptions(Options):
    """Options for fetching clips.

    Attributes:
        timeout_s: Time limit for one clip, in seconds; then its process is killed.
        max_bytes: Size limit of a download; a larger one is `too_large`.
        max_refusals: After this many rate limits or bot checks in a row, a host gets no more requests.
        backoff_s: Pause of all jobs after the first refusal, in seconds; it doubles with each further one.
        longest_backoff_s: Limit of a pause, in seconds.
        sound_required: Reject a video without an audio stream as `no_audio`.
        trusted_hosts: Hosts that the card names; links to them are allowed even in a private network.
        plugin_dirs: Folders of yt-dlp plugins, besides yt-dlp's default ones.
    """

    jobs: Annotated[int, Option("Clips downloaded in parallel, each by its own process.", CLIPS, min=1)] = 4
    per_minute: Annotated[
        float | None,
        Option("At most N clips per minute from one host (YouTube counts as one).", CLIPS, above=0, metavar="N"),
    ] = None
    cookies: Annotated[
        Path | None,
        Option("youtube: cookie file (Netscape format) of an account; it is copied, never modified.", CLIPS,
               metavar="FILE", recorded=False),
    ] = None  # fmt: skip
    proxy: Annotated[
        str | None, Option("Proxy for downloading clips (http://, https:// or socks5://).", CLIPS,
                           metavar="URL", recorded=False),
    ] = None  # fmt: skip
    retry: Annotated[
        frozenset[str],
        Option(
            "Retry clips known to be unavailable for these reasons: dead,private ..., or all.", CLIPS, metavar="REASONS"
        ),
    ] = frozenset()
    private_hosts: Annotated[
        bool, Option("Allow links in a table to point to this machine and its network.", CLIPS)
    ] = False
    timeout_s: float = 600.0
    max_bytes: int = 2 * 1024**3
    max_refusals: int = 5
    backoff_s: float = 30.0
    longest_backoff_s: float = 600.0
    sound_required: bool = False
    trusted_hosts: frozenset[str] = frozenset()
    plugin_dirs: tuple[Path, ...] = ()

    def check(self) -> None:
        if self.cookies is not None and not self.cookies.is_file():
            raise UsageError(f"--cookies {self.cookies}: there is no such file.")
        if self.proxy is not None and urlsplit(self.proxy).scheme not in SCHEMES:
            raise UsageError(f"--proxy {self.proxy}: give a URL such as http://host:3128 or socks5://host:1080.")
        for name in sorted(self.retry - {"all"}):
            if name not in REASONS:
                raise UsageError(f"--retry {name}: no such reason.", hint=f"one of {', '.join(REASONS)}, or all")

    def asks_again(self, reason: str) -> bool:
        """Whether to request a clip again that failed for this reason."""
        known = REASONS.get(reason)
        return "all" in self.retry or reason in self.retry or (known is not None and not known.terminal)


def require_ytdlp() -> None:
    """Raise UsageError if the optional package is missing."""
    if find_spec("yt_dlp") is None:
        raise UsageError("YouTube clips need yt-dlp, which is not installed.", hint="pip install 'triptych[youtube]'")
