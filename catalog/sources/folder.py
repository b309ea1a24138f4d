"""An unpacked folder as a stream of raw files like an archive's: sorted by path, each with its `path` set.

`converters/files/tree.py` says which links are followed and what is left out. What the reader would use and can't be
read becomes a `Rejection`: `outside`, `missing_media`, `missing_file`, `special_file`, `unreadable`, and members larger
than the limit (`too_large`).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from ...converters.candidate import RawFile, Rejection
from ...converters.files.inside import Inside
from ...converters.files.tree import Found, Refused, Tree
from ...errors import UsageError
from .archives.reader import members
from .archives.safety import Limits, safe_name, shown


def tree(
    root: Path,
    *,
    uri: str | None = None,
    revision: str,
    spool: Path | None = None,
    limits: Limits | None = None,
    nested: Sequence[str] = (),
    wants: Callable[[str], bool] | None = None,
    password: str | None = None,
    allow_outside: tuple[Path, ...] = (),
    note: Callable[[str], None] = lambda line: None,
) -> Generator[RawFile | Rejection, None, None]:
    """Yield the files of a folder, sorted by path, component by component.

    Args:
        root: The folder.
        uri: Its URI; members are `<uri>/<name>`. Default: its path.
        revision: Revision of every file.
        spool: Folder for large members of nested archives.
        nested: Patterns of names to open as archives, as in `archives.reader.members`.
        wants: Returns whether to yield the file of this name.
        password: Opens encrypted archives.
        allow_outside: Folders that links may lead to.
        note: Takes a line for each kind of what was left out.

    Raises:
        UsageError: The folder does not exist.
    """
    if not root.is_dir():
        raise UsageError(f"{root}: there is no such folder.", hint="Give the folder that the corpus was unpacked into.")
    reading = _Reading(uri or str(root), revision, spool, limits or Limits(), tuple(nested), wants, password)
    walk = Tree(root, inside=Inside.of(root, allowed=allow_outside), matters=reading.uses)
    for item in walk.walk():
        yield from reading.take(item)
    for line in walk.notes():
        note(line)


class _Reading:
    def __init__(
        self,
        uri: str,
        revision: str,
        spool: Path | None,
        limits: Limits,
        nested: tuple[str, ...],
        wants: Callable[[str], bool] | None,
        password: str | None,
    ) -> None:
        self._uri = uri.rstrip("/")
        self._revision = revision
        self._spool = spool
        self._limits = limits
        self._nested = nested
        self._wants = wants
        self._password = password

    def uses(self, name: str) -> bool:
        """Whether the reader may use a file of this name."""
        return self._wants is None or self._is_nested(name) or self._wants(name)

    def take(self, item: Found | Refused) -> Iterator[RawFile | Rejection]:
        if isinstance(item, Refused):
            yield self._refusal(item.name, item.reason, item.why)
            return
        name, path = safe_name(item.name), item.path
        if name is None:
            yield self._refusal(item.name, "unsafe_path", "its path cannot be encoded")
        elif item.size > self._limits.member_bytes:
            why = f"it has {item.size:,} bytes, more than {self._limits.member_bytes:,}"
            yield self._refusal(item.name, "too_large", why)
        elif not os.access(path, os.R_OK):
            yield self._refusal(item.name, "unreadable", "no permission to read it")
        elif self._is_nested(name):
            yield from self._archive(path, name)
        elif self._wants is None or self._wants(name):
            uri = f"{self._uri}/{name}"
            yield RawFile(name, uri, self._revision, item.size, lambda: path.open("rb"), path=path, spool=self._spool)

    def _is_nested(self, name: str) -> bool:
        return any(fnmatchcase(name.lower(), pattern) for pattern in self._nested)

    def _archive(self, path: Path, name: str) -> Iterator[RawFile | Rejection]:
        with path.open("rb") as stream:
            yield from members(
                stream,
                name=name,
                uri=f"{self._uri}/{name}",
                revision=self._revision,
                spool=self._spool,
                limits=self._limits,
                wants=self._wants,
                prefix=name.rpartition("/")[0],
                password=self._password,
            )

    def _refusal(self, raw: str, reason: str, why: str) -> Rejection:
        name = shown(raw)
        return Rejection(name, reason, f"{self._uri}/{name}: {why}.", uri=f"{self._uri}/{name}")
