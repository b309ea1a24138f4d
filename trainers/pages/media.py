"""Media of a page: what a browser plays, inside the page as `data:` URIs or in a folder beside it.

A sound that browsers do not play (mu-law, ADPCM, AIFF ...) is decoded to FLAC, at its own rate and with its channels. A
video is taken as it is, with its path beside the player: a browser that cannot play it says so.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from ...errors import UsageError
from ...shards.in_memory import encoded
from ...shards.media.cut import Cut, decode_cut
from ...shards.media.media import hash_file
from ...shards.media.probe import Probe, probe
from ...shards.media.streams import MediaError

MB = 1024 * 1024
LARGEST_PAGE_MB = 250
"""Browsers take long to open larger pages, and some refuse."""

EMBEDDED = "data:"
BESIDE = "'self' file:"
"""The sources of media that the page's policy allows; `'self'` alone is no source where a page is opened from disk."""

_TYPES = {
    "wav": "audio/wav", "flac": "audio/flac", "mp3": "audio/mpeg", "ogg": "audio/ogg", "opus": "audio/ogg",
    "aac": "audio/aac", "mp4": "video/mp4", "webm": "video/webm", "mkv": "video/x-matroska", "png": "image/png",
    "jpg": "image/jpeg", "gif": "image/gif", "webp": "image/webp",
}  # fmt: skip
_PLAYED = {
    "wav": ("pcm_16", "pcm_u8", "pcm_24", "pcm_32", "float"), "mp4": ("aac", "mp3", "opus", "flac"),
    "flac": ("",), "mp3": ("",), "ogg": ("vorbis", "opus"), "opus": ("",), "aac": ("",),
}  # fmt: skip
"""Extension of a sound -> the beginnings of the codecs in it that Chromium, Firefox and Safari play."""


@dataclass(frozen=True, slots=True)
class Medium:
    """One medium of a row, as the page has it.

    Attributes:
        kind: `audio`, `video` or `image`.
        path: Where it was found.
        sha256: Of the file that was found.
        type: Its media type.
        content: The bytes to play, where they are not those of the file.
    """

    kind: str
    path: Path
    sha256: str
    size: int
    type: str
    suffix: str
    content: bytes | None = None

    @property
    def length(self) -> int:
        """The number of bytes to play."""
        return self.size if self.content is None else len(self.content)

    def read(self) -> bytes:
        return self.path.read_bytes() if self.content is None else self.content


def load_medium(path: Path, kind: str | None, *, where: str) -> Medium:
    """Look at a file that a row names; `kind` None takes any.

    Raises:
        UsageError: It does not exist, or is no such medium; the message names the row.
    """
    try:
        found = probe(path, kind=kind)
        kind = found.kind
        converted = None if kind != "audio" or _is_played(found) else _as_flac(path, found)
        sha256, size = hash_file(path)
    except (MediaError, OSError) as error:
        raise UsageError(f"{where}: {kind or 'media'} {path}: {error}.") from error
    suffix = found.extension if converted is None else "flac"
    type_ = _TYPES.get(suffix, "application/octet-stream")
    if kind == "audio":
        type_ = type_.replace("video/", "audio/")
    return Medium(kind, path, sha256, size, type_, suffix, converted)


def _is_played(found: Probe) -> bool:
    return str(found.fields.get("codec", "")).lower().startswith(_PLAYED.get(found.extension, ()))


def _as_flac(path: Path, found: Probe) -> bytes:
    rate = int(found.fields["sample_rate"])
    return encoded(decode_cut(Cut("", path, None, None), rate=rate, mono=False), rate)


@dataclass(slots=True)
class MediaFolder:
    """The media of one page, each once: embedded, or as files in a folder beside the page."""

    page: Path
    embed: bool
    sources: dict[str, str] = field(default_factory=dict)
    """SHA-256 -> what stands in `src`."""
    written: int = 0
    """The bytes of media, in the page or beside it."""

    @property
    def folder(self) -> Path:
        return self.page.with_name(f"{self.page.stem}_media")

    def add(self, medium: Medium) -> str:
        """Return the name of a medium in `sources`; what it is read from is read here."""
        if medium.sha256 not in self.sources:
            if self.embed:
                text = base64.b64encode(medium.read()).decode()
                self.sources[medium.sha256] = f"data:{medium.type};base64,{text}"
                self.written += len(text)
            else:
                name = f"{medium.sha256[:16]}.{medium.suffix}"
                self._copy(medium, self.folder / name)
                self.sources[medium.sha256] = f"{quote(self.folder.name)}/{name}"
                self.written += medium.length
        return medium.sha256

    def _copy(self, medium: Medium, target: Path) -> None:
        if target.is_file() and target.stat().st_size == medium.length:
            return
        self.folder.mkdir(exist_ok=True)
        scratch = target.with_name(f".{target.name}.{os.getpid()}")
        scratch.write_bytes(medium.read())
        scratch.rename(target)


def embedded_bytes(media: Mapping[str, Medium]) -> int:
    """How large media are inside a page: base64 takes 4 characters for 3 bytes."""
    return sum(-(-each.length // 3) * 4 for each in media.values())
