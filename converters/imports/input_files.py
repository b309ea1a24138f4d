"""The files that a reader gets: the file given, or those of a folder, sorted by name."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

from ...errors import UsageError
from ..candidate import RawFile, RawStream, Rejection
from ..files.inside import Inside
from ..files.tree import Found, Refused, Tree, is_media
from .formats import ImportFormat
from .shard_patterns import matching_files


def input_files(
    spec: ImportFormat,
    path: Path,
    accepts: Callable[[str], bool],
    *,
    allow_outside: tuple[Path, ...] = (),
    note: Callable[[str], None] = lambda line: None,
    checksums: bool = False,
) -> RawStream:
    """The files that the reader accepts, and a rejection of each that it would accept and that can't be read.

    Args:
        path: The file, folder or pattern that the user gave.
        allow_outside: Folders that links may lead to.
        note: Takes a line for each kind of what was left out.
        checksums: Whether the files of a format without media of their own get their checksum as revision.

    Raises:
        UsageError: A file can't be read, and the others depend on it.
    """
    summed = checksums and spec.files == "beside"
    if not path.is_dir():
        for each in [path] if path.is_file() else matching_files(path):
            yield _raw(each, each.name, each.stat().st_size, summed=summed)
        return
    deep = spec.files == "tree"
    tree = Tree(
        path,
        inside=Inside.of(path, allowed=allow_outside),
        matters=(lambda name: is_media(name) or name.endswith(".txt")) if spec.reader == "folder" else accepts,
        is_content=accepts if spec.aligns else is_media,
        deep=deep,
    )
    for item in tree.walk():
        if isinstance(item, Refused):
            place = path / item.name
            if spec.together:
                raise UsageError(
                    f"{place}: {item.why}.", hint="the files of this folder belong together: all are needed"
                )
            yield Rejection(item.name, item.reason, f"{place}: {item.why}", place.as_uri())
        elif accepts(item.name):
            yield _found(item, summed=summed)
    for line in tree.notes():
        note(line)


def _found(item: Found, *, summed: bool) -> RawFile:
    return _raw(item.path, item.name, item.size, summed=summed)


def _raw(path: Path, name: str, size: int, *, summed: bool) -> RawFile:
    return RawFile(name, path.as_uri(), _checksum(path) if summed else "", size, lambda: path.open("rb"), path=path)


def _checksum(path: Path) -> str:
    with path.open("rb") as file:
        return "sha256:" + hashlib.file_digest(file, "sha256").hexdigest()
