"""An unpacked folder as a stream of raw files like an archive's: sorted by path, each with its `path` set.

Nothing outside the folder is read. These become `Rejection`s: links that point outside and links to folders inside it,
whose files are read under their own names (`link`), devices and pipes (`special_file`), files without read permission
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
    """Yield the files of a folder, sorted by path, component by component.

    Args:
        root: The folder.
        uri: Its URI; members are `<uri>/<name>`. Default: its path.
        revision: Revision of every file.
        spool: Folder for large members of nested archives.
        nested: Patterns of names to open as archives, as in `archives.reader.members`.
        wants: Returns whether to yield the file of this name.
        password: Opens encrypted archives.

    Raises:
        UsageError: The folder does not exist.
    """
    if not root.is_dir():
        raise UsageError(f"{root}: there is no such folder.", hint="Give the folder that the corpus was unpacked into.")
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
            yield self._refusal(prefix, "unreadable", f"it cannot be read ({error.strerror})")
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
            yield self._refusal(raw, "unsafe_path", "its path cannot be encoded")
            return
        if is_sidecar(name):
            return
        if entry.is_symlink() and (why := self._bad_link(path)):
            yield self._refusal(raw, "link", why)
        elif not path.is_file():
            yield self._refusal(raw, "special_file", "it is not a regular file")
        elif (size := path.stat().st_size) > self._limits.member_bytes:
            yield self._refusal(raw, "too_large", f"it has {size:,} bytes, more than {self._limits.member_bytes:,}")
        elif not os.access(path, os.R_OK):
            yield self._refusal(raw, "unreadable", "no permission to read it")
        elif any(fnmatchcase(name.lower(), pattern) for pattern in self._nested):
            yield from self._archive(path, name)
        elif self._wants is None or self._wants(name):
            uri = f"{self._uri}/{name}"
            yield RawFile(name, uri, self._revision, size, lambda: path.open("rb"), path=path, spool=self._spool)

    def _bad_link(self, path: Path) -> str | None:
        try:
            target = path.resolve(strict=True)
        except (OSError, RuntimeError):
            return "the link is broken"
        if not target.is_relative_to(self._root):
            return f"the link points outside the folder, to {target}"
        return "the link points to a folder, which is read under its own name" if target.is_dir() else None

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
