"""How clips are fetched."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit

from ....errors import UsageError
from .failures import REASONS


@dataclass(frozen=True, slots=True)
class ClipOptions:
    """How clips are fetched.

    Attributes:
        jobs: Clips on their way at once, each in a process of its own.
        cookies: A Netscape cookie file for yt-dlp; it is copied, never written.
        proxy: `http://`, `https://` or `socks5://` address that requests go through.
        retry: Reasons that are asked again although they are terminal; `all` for every one.
        timeout_s: Longest time for one clip, in seconds; then its process is killed.
        max_bytes: A larger download is given up as `too_large`.
        per_minute: Most requests a minute to one host (YouTube counts as one); None for no limit.
        patience: So many walls (`rate_limited`, `bot_wall`) in a row, and the host is not asked any more.
        backoff_s: Pause of all jobs after the first wall, in seconds; it doubles with each further one.
        longest_backoff_s: No pause is longer.
        sound_required: A video without sound is `no_audio`.
        private_hosts: Links may lead to this machine and its network; else only to `trusted_hosts` there (guard.py).
        trusted_hosts: Hosts that the card itself names.
        plugin_dirs: Folders of yt-dlp plugins, besides those that yt-dlp finds itself.
    """

    jobs: int = 4
    cookies: Path | None = None
    proxy: str | None = None
    retry: frozenset[str] = frozenset()
    timeout_s: float = 600.0
    max_bytes: int = 2 * 1024**3
    per_minute: float | None = None
    patience: int = 5
    backoff_s: float = 30.0
    longest_backoff_s: float = 600.0
    sound_required: bool = False
    private_hosts: bool = False
    trusted_hosts: frozenset[str] = frozenset()
    plugin_dirs: tuple[Path, ...] = ()

    def check(self) -> None:
        """Raises UsageError where an option cannot be meant so."""
        if self.jobs < 1:
            raise UsageError(f"--jobs {self.jobs}: at least 1.")
        if self.cookies is not None and not self.cookies.is_file():
            raise UsageError(f"--cookies {self.cookies}: there is no such file.")
        if self.proxy is not None and urlsplit(self.proxy).scheme not in (
            "http",
            "https",
            "socks4",
            "socks5",
            "socks5h",
        ):
            raise UsageError(f"--proxy {self.proxy}: give a URL such as http://host:3128 or socks5://host:1080.")
        for name in sorted(self.retry - {"all"}):
            if name not in REASONS:
                raise UsageError(f"--retry {name}: no such reason.", hint=f"one of {', '.join(REASONS)}, or all")

    def asks_again(self, reason: str) -> bool:
        """Whether a clip that failed for a reason is to be asked for once more."""
        known = REASONS.get(reason)
        return "all" in self.retry or reason in self.retry or (known is not None and not known.terminal)


def require_ytdlp() -> None:
    """Raises UsageError where the optional package is missing; nothing was done yet."""
    if find_spec("yt_dlp") is None:
        raise UsageError(
            "Clips of YouTube need yt-dlp, which is not installed.", hint="pip install 'triptych[youtube]'"
        )
