"""Limits of what an archive or a tree may hold, and the names its members may have.

`safe_name` is the one judge of member names: what it returns is POSIX, relative, normalised, never climbing, and
valid UTF-8, so that it can be a path, a table value and a line of JSON.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

GIB = 1024**3
NAME_CHARACTERS = 4096
UNDECODED = re.compile("[\udc80-\udcff]")
PLAIN_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.+-]*(/[A-Za-z0-9_-][A-Za-z0-9_.+-]*)*")
"""Names that need no care: most of all names, found out at once."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What is refused as a bomb.

    Attributes:
        member_bytes: Of one member.
        members: In one archive, nested ones and refused ones counted.
        total_bytes: Inflated, of one archive.
        ratio: Inflated to compressed, over everything read so far and all levels of nesting.
        ratio_grace: Inflated bytes before the ratio counts.
        depth: Levels of archives, the outermost being the first.
        header_bytes: Of one extended tar header (long names).
    """

    member_bytes: int = 64 * GIB
    members: int = 50_000_000
    total_bytes: int = 8192 * GIB
    ratio: float = 200.0
    ratio_grace: int = 64 * 1024 * 1024
    depth: int = 3
    header_bytes: int = 1024 * 1024


@dataclass(slots=True)
class Tally:
    """What has been read of one outermost archive, all levels together."""

    consumed: int = 0
    members: int = 0
    inflated: dict[int, int] = field(default_factory=dict)


class ArchiveFault(Exception):
    """Reading an archive cannot go on. `reason` is the code of the rejection it becomes, `detail` is for people."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


def safe_name(raw: str) -> str | None:
    """A member's name normalised; None where it is empty, absolute, climbing or unprintable by design.

    Bytes that are no UTF-8 (escaped by surrogates) become `%XX`. A backslash stays in the name, but counts as a
    separator when looking for `..` and drives, because other systems will read it as one.
    """
    if len(raw) <= NAME_CHARACTERS and PLAIN_NAME.fullmatch(raw):
        return raw
    name = UNDECODED.sub(lambda match: f"%{ord(match[0]) - 0xDC00:02X}", raw)
    if "\0" in name or len(name) > NAME_CHARACTERS or not _encodable(name):
        return None
    if re.match(r"[/\\]|[A-Za-z]:[/\\]", name):
        return None
    if ".." in re.split(r"[/\\]", name):
        return None
    parts = [part for part in name.split("/") if part not in ("", ".")]
    return "/".join(parts) or None


def shown(raw: str) -> str:
    """A refused name, fit to be stored and printed."""
    return raw.encode("utf-8", "backslashreplace").decode()[:NAME_CHARACTERS]


def is_sidecar(name: str) -> bool:
    """Whether a member is one of macOS's own (AppleDouble), which are no part of a corpus."""
    return name.startswith("__MACOSX/") or "/__MACOSX/" in name or name.rsplit("/", 1)[-1].startswith("._")


def _encodable(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
