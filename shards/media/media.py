"""Media files of a store: named by the SHA-256 of their bytes, written once, never changed.

`media/ab/<sha256>.<ext>` (`store_format.py` defines the layout); the extension comes from the probe, never from the
name of the source file. A file is written under a temporary name and renamed, so that a killed process leaves no
incomplete file under a final name. Decoding, cutting and extracting audio for views are in `cut.py`.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import os
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...errors import StoreReadOnly
from ..store_format import FORMAT, media_path, media_pattern
from .probe import MediaError, Probe, probe

Refuse = Callable[[str], str | None]
"""Says of a SHA-256 why that media may not be stored, or None."""

_CHUNK = 1024 * 1024
_counter = itertools.count()


@dataclass(slots=True)
class StoredMedia:
    """One media file as in the sample's struct: `fields` has path, sha256, bytes and the fields of the probe."""

    kind: str
    fields: dict[str, Any]


class MediaStore:
    """The `media/` folder under a store's root."""

    def __init__(self, root: Path, *, format_version: int = FORMAT) -> None:
        self.root = root
        self.scratch = root / "partial" / "tmp"
        self._format = format_version

    def put(self, data: bytes, *, kind: str | None = None, refuse: Refuse | None = None) -> StoredMedia:
        """Store bytes; identical bytes are stored once.

        Args:
            refuse: Says of a SHA-256 why that media may not be stored, or None.

        Raises:
            MediaError: The bytes are not media of that kind, or they are refused.
        """
        found = probe(data, kind=kind)
        digest = hashlib.sha256(data).hexdigest()
        _check_refused(digest, refuse)
        path = media_path(digest, found.extension, self._format)
        target = self.root / path
        if not _is_stored(target, len(data)):
            self._publish(self._write_scratch(data), target)
        return self._stored(found, digest, len(data), path)

    def put_file(
        self, path: Path, *, kind: str | None = None, move: bool = False, refuse: Refuse | None = None
    ) -> StoredMedia:
        """Store a file by copying it, or by renaming it with `move`; a copy is hashed on the way."""
        found = probe(path, kind=kind)
        if move:
            scratch = path
            digest, size = hash_file(path)
        else:
            scratch = self.new_scratch()
            digest, size = copy_and_hash(path, scratch)
        try:
            _check_refused(digest, refuse)
        except MediaError:
            scratch.unlink()
            raise
        name = media_path(digest, found.extension, self._format)
        target = self.root / name
        if _is_stored(target, size):
            scratch.unlink()
        else:
            self._publish(scratch, target)
        return self._stored(found, digest, size, name)

    def link(self, path: Path, *, kind: str | None = None, refuse: Refuse | None = None) -> StoredMedia:
        """Refer to a file in place: its absolute path goes into the sample and nothing is copied."""
        found = probe(path, kind=kind)
        digest, size = hash_file(path)
        _check_refused(digest, refuse)
        return self._stored(found, digest, size, str(path.resolve()))

    def new_scratch(self) -> Path:
        """Return a new temporary path on the store's own file system, with a name that identifies leftovers."""
        return scratch_path(self.scratch)

    def sweep_scratch(self) -> int:
        """Remove the temporary files left by dead processes of this host; return how many."""
        removed = 0
        for path in self._scratch_files():
            host, _, rest = path.name.rpartition("-")[0].rpartition("-")
            if host == socket.gethostname() and rest.isdigit() and not is_alive(int(rest)):
                with contextlib.suppress(FileNotFoundError):
                    path.unlink()
                    removed += 1
        return removed

    def files(self) -> Iterator[Path]:
        """Yield every stored media file."""
        for path in self.root.glob(media_pattern(self._format)):
            if path.is_file():
                yield path

    def absolute(self, path: str) -> Path:
        """Resolve a media path of a sample: linked paths are absolute, stored ones relative to the store."""
        return self.root / path

    def _scratch_files(self) -> list[Path]:
        return list(self.scratch.iterdir()) if self.scratch.is_dir() else []

    def _write_scratch(self, data: bytes) -> Path:
        scratch = self.scratch / _scratch_name()
        try:
            scratch.write_bytes(data)
        except FileNotFoundError:
            # The folder is missing only the first time; checking each time would cost as much as the rename.
            self.scratch.mkdir(parents=True, exist_ok=True)
            scratch.write_bytes(data)
        return scratch

    def _publish(self, scratch: Path, target: Path) -> None:
        try:
            scratch.rename(target)
        except FileNotFoundError:
            target.parent.mkdir(parents=True, exist_ok=True)
            scratch.rename(target)
        except PermissionError as error:
            raise StoreReadOnly(self.root) from error

    def _stored(self, found: Probe, digest: str, size: int, path: str) -> StoredMedia:
        return StoredMedia(found.kind, {"path": path, "sha256": digest, "bytes": size, **found.fields})


def _check_refused(digest: str, refuse: Refuse | None) -> None:
    if refuse is not None and (why := refuse(digest)) is not None:
        raise MediaError("withdrawn", why)


def scratch_path(folder: Path) -> Path:
    """Return a new path in a folder for temporary files; its name has the host and the process that made it.

    Files created there follow the umask, because they may be moved into the store, where a team must read them.
    """
    folder.mkdir(parents=True, exist_ok=True)
    return folder / _scratch_name()


def _scratch_name() -> str:
    return f"{socket.gethostname()}-{os.getpid()}-{next(_counter)}"


def _is_stored(target: Path, size: int) -> bool:
    """Whether the file exists; its time is renewed so that `store gc` keeps it until its row is committed."""
    try:
        if target.stat().st_size != size:
            return False
        with contextlib.suppress(PermissionError):
            os.utime(target)
    except FileNotFoundError:
        return False
    return True


def hash_file(path: Path) -> tuple[str, int]:
    """The SHA-256 and the size of a file."""
    digest = hashlib.sha256()
    size = 0
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
            size += len(chunk)
    return digest.hexdigest(), size


def copy_and_hash(source: Path, target: Path) -> tuple[str, int]:
    """Copy a file; return the SHA-256 and the size of what was copied."""
    digest = hashlib.sha256()
    size = 0
    with source.open("rb") as reading, target.open("wb") as writing:
        while chunk := reading.read(_CHUNK):
            digest.update(chunk)
            writing.write(chunk)
            size += len(chunk)
    return digest.hexdigest(), size


def is_alive(pid: int) -> bool:
    """Whether a process of this host is there."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


__all__ = ["MediaError", "MediaStore", "StoredMedia", "copy_and_hash", "hash_file", "is_alive", "scratch_path"]
