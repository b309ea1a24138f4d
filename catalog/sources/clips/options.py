"""How clips are fetched."""

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
    """How clips are fetched.

    Attributes:
        timeout_s: Longest time for one clip, in seconds; then its process is killed.
        max_bytes: A larger download is given up as `too_large`.
        patience: So many rate limits or bot checks in a row, and the host is not asked any more.
        backoff_s: Pause of all jobs after the first of them, in seconds; it doubles with each further one.
        longest_backoff_s: No pause is longer.
        sound_required: A video without sound is `no_audio`.
        trusted_hosts: Hosts that the card itself names; links may lead to them in this network too.
        plugin_dirs: Folders of yt-dlp plugins, besides those that yt-dlp finds itself.
    """

    jobs: Annotated[int, Option("Clips fetched at once, each by a process of its own.", CLIPS, min=1)] = 4
    per_minute: Annotated[
        float | None, Option("At most N clips a minute from one host (YouTube is one).", CLIPS, above=0, metavar="N")
    ] = None
    cookies: Annotated[
        Path | None,
        Option("youtube: cookie file (Netscape format) of an account; it is copied, never written.", CLIPS,
               metavar="FILE", recorded=False),
    ] = None  # fmt: skip
    proxy: Annotated[
        str | None, Option("http://, https:// or socks5:// address through which clips are fetched.", CLIPS,
                           metavar="URL", recorded=False),
    ] = None  # fmt: skip
    retry: Annotated[
        frozenset[str],
        Option("Ask again for clips that are known to be gone: dead,private ..., or all.", CLIPS, metavar="REASONS"),
    ] = frozenset()
    private_hosts: Annotated[bool, Option("Links of a table may lead to this machine and its network.", CLIPS)] = False
    timeout_s: float = 600.0
    max_bytes: int = 2 * 1024**3
    patience: int = 5
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
        """Whether a clip that failed for a reason is to be asked for once more."""
        known = REASONS.get(reason)
        return "all" in self.retry or reason in self.retry or (known is not None and not known.terminal)


def require_ytdlp() -> None:
    """Raises UsageError where the optional package is missing; nothing was done yet."""
    if find_spec("yt_dlp") is None:
        raise UsageError(
            "Clips of YouTube need yt-dlp, which is not installed.", hint="pip install 'triptych[youtube]'"
        )
