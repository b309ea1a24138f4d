"""Limits on the contents of an archive or folder, and the names its members may have.

`safe_name` checks all member names: what it returns is POSIX, relative, normalised, without `..`, and valid UTF-8, so
that it can be a path, a table value and a JSON string.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

GIB = 1024**3
NAME_CHARACTERS = 4096
UNDECODED = re.compile("[\udc80-\udcff]")
PLAIN_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.+-]*(/[A-Za-z0-9_-][A-Za-z0-9_.+-]*)*")
"""Names that need no normalisation: a fast path for most names."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits against decompression bombs.

    Attributes:
        member_bytes: Size of one member.
        members: Number of members of one archive, including nested and rejected ones.
        total_bytes: Decompressed size of one archive.
        ratio: Decompressed to compressed size, over everything read so far at each level of nesting.
        ratio_grace: Decompressed bytes before the ratio is checked.
        depth: Levels of nested archives, the outermost being the first.
        header_bytes: Size of one extended tar header (long names).
    """

    member_bytes: int = 64 * GIB
    members: int = 50_000_000
    total_bytes: int = 8192 * GIB
    ratio: float = 200.0
    ratio_grace: int = 64 * 1024 * 1024
    depth: int = 3
    header_bytes: int = 1024 * 1024


class ArchiveFault(Exception):
    """An archive or member cannot be read. `reason` becomes the code of its rejection, `detail` is for people."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


class InflationBomb(ArchiveFault):
    """All that was read together is too much: a fault of the archive, not of the member that is being read."""


@dataclass(slots=True)
class ReadTotals:
    """How much of one outermost archive has been read, all levels together."""

    consumed: int = 0
    members: int = 0
    inflated: dict[int, int] = field(default_factory=dict)

    def inflate(self, count: int, packed: int, depth: int, limits: Limits) -> None:
        """Count bytes decompressed at one level of nesting from `packed` bytes so far.

        Raises:
            InflationBomb: They are too many for these.
        """
        inflated = self.inflated.get(depth, 0) + count
        self.inflated[depth] = inflated
        if inflated > limits.ratio_grace and inflated > limits.ratio * packed:
            raise InflationBomb(
                "inflation_bomb", f"{packed:,} bytes decompress to more than {limits.ratio:g} times as many"
            )


def safe_name(raw: str) -> str | None:
    """Return a member's normalised name; None if it is empty, absolute, too long, has `..`, or cannot be encoded.

    Invalid UTF-8 (bytes escaped as surrogates) becomes `%XX`. A backslash stays in the name, but counts as a separator
    when looking for `..` and drives, because other systems treat it as one.
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
    """Return a refused name in a form that can be stored and printed."""
    return raw.encode("utf-8", "backslashreplace").decode()[:NAME_CHARACTERS]


def is_sidecar(name: str) -> bool:
    """Whether a member is macOS metadata (AppleDouble), which is not part of a corpus."""
    return name.startswith("__MACOSX/") or "/__MACOSX/" in name or name.rsplit("/", 1)[-1].startswith("._")


def _encodable(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
