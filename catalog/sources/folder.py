"""An unpacked folder as the same stream of raw files an archive gives: sorted by path, each with its `path` set.

Nothing outside the folder is read: links that lead out are `Rejection`s (`link`), as are links to folders inside it
(what they show is read under its own name), devices and pipes (`special_file`), files that may not be read
(`unreadable`) and members larger than the limit (`too_large`).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from ...converters.candidate import RawFile, Rejection
from ...errors import UsageError
from .archives.reader import members
from .archives.safety import Limits, is_sidecar, safe_name, shown


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
) -> Generator[RawFile | Rejection, None, None]:
    """The files of a folder, sorted by path part by part.

    Args:
        root: The folder.
        uri: What it is called; members are `<uri>/<name>`. By default its path.
        revision: Passed on.
        spool: Folder for large members of nested archives.
        nested: Patterns of names that are opened as archives, as in `archive.members`.
        wants: Says of a name whether to hand the file over.
        password: Opens encrypted archives.

    Raises:
        UsageError: There is no such folder.
    """
    if not root.is_dir():
        raise UsageError(f"{root}: there is no such folder.", hint="Give the folder the corpus was unpacked into.")
    root = root.resolve()
    walk = _Walk(root, uri or str(root), revision, spool, limits or Limits(), tuple(nested), wants, password)
    yield from walk.folder(root, "")


class _Walk:
    def __init__(
        self,
        root: Path,
        uri: str,
        revision: str,
        spool: Path | None,
        limits: Limits,
        nested: tuple[str, ...],
        wants: Callable[[str], bool] | None,
        password: str | None,
    ) -> None:
        self._root = root
        self._uri = uri.rstrip("/")
        self._revision = revision
        self._spool = spool
        self._limits = limits
        self._nested = nested
        self._wants = wants
        self._password = password

    def folder(self, folder: Path, prefix: str) -> Iterator[RawFile | Rejection]:
        try:
            with os.scandir(folder) as listing:
                found = sorted(listing, key=lambda entry: entry.name)
        except PermissionError as error:
            yield self._refusal(prefix, "unreadable", f"it may not be read ({error.strerror})")
            return
        for entry in found:
            raw = prefix + entry.name
            if entry.is_dir(follow_symlinks=False):
                if not is_sidecar(f"{raw}/"):
                    yield from self.folder(Path(entry.path), f"{raw}/")
            else:
                yield from self._file(entry, raw)

    def _file(self, entry: os.DirEntry[str], raw: str) -> Iterator[RawFile | Rejection]:
        name, path = safe_name(raw), Path(entry.path)
        if name is None:
            yield self._refusal(raw, "unsafe_path", "its path cannot be written")
            return
        if is_sidecar(name):
            return
        if entry.is_symlink() and (why := self._bad_link(path)):
            yield self._refusal(raw, "link", why)
        elif not path.is_file():
            yield self._refusal(raw, "special_file", "it is no file with bytes of its own")
        elif (size := path.stat().st_size) > self._limits.member_bytes:
            yield self._refusal(raw, "too_large", f"it has {size:,} bytes, more than {self._limits.member_bytes:,}")
        elif not os.access(path, os.R_OK):
            yield self._refusal(raw, "unreadable", "it may not be read")
        elif any(fnmatchcase(name.lower(), pattern) for pattern in self._nested):
            yield from self._archive(path, name)
        elif self._wants is None or self._wants(name):
            uri = f"{self._uri}/{name}"
            yield RawFile(name, uri, self._revision, size, lambda: path.open("rb"), path=path, spool=self._spool)

    def _bad_link(self, path: Path) -> str | None:
        try:
            target = path.resolve(strict=True)
        except (OSError, RuntimeError):
            return "the link leads nowhere"
        if not target.is_relative_to(self._root):
            return f"the link leads out of the folder, to {target}"
        return "the link leads to a folder, which is read under its own name" if target.is_dir() else None

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
