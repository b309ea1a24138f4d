"""Media files of a store: named by the SHA-256 of their bytes, written once, never changed.

`media/ab/<sha256>.<ext>` (`store_format.py` says where exactly); the extension comes from the probe, never from the
source's file name. A file is written under a temporary name and renamed, so that a killed process leaves no half file
under a final name. Decoding, cutting and extracting audio for views live in `cut.py`.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import os
import shutil
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...errors import StoreReadOnly
from ..store_format import FORMAT, media_path, media_pattern
from .probe import MediaError, Probe, probe

_CHUNK = 1024 * 1024
_counter = itertools.count()


@dataclass(slots=True)
class StoredMedia:
    """One media file as the sample's struct names it: `fields` has path, sha256, bytes and what the probe found."""

    kind: str
    fields: dict[str, Any]


class MediaStore:
    """The `media/` folder under a store's root."""

    def __init__(self, root: Path, *, format_version: int = FORMAT) -> None:
        self.root = root
        self.scratch = root / "partial" / "tmp"
        self._format = format_version

    def put(self, data: bytes, *, kind: str | None = None) -> StoredMedia:
        """Store bytes; the same bytes are stored once.

        Raises:
            MediaError: The bytes are not media of that kind.
        """
        found = probe(data, kind=kind)
        digest = hashlib.sha256(data).hexdigest()
        path = media_path(digest, found.extension, self._format)
        target = self.root / path
        if not _holds(target, len(data)):
            self._publish(self._write_scratch(data), target)
        return self._stored(found, digest, len(data), path)

    def put_file(self, path: Path, *, kind: str | None = None, move: bool = False) -> StoredMedia:
        """Store a file by copy, or by renaming it where it is ours to move; hashed while it is copied."""
        found = probe(path, kind=kind)
        if move:
            scratch = path
            digest, size = _hash_file(path)
        else:
            scratch = self.new_scratch()
            digest, size = _copy_and_hash(path, scratch)
        name = media_path(digest, found.extension, self._format)
        target = self.root / name
        if _holds(target, size):
            scratch.unlink()
        else:
            self._publish(scratch, target)
        return self._stored(found, digest, size, name)

    def link(self, path: Path, *, kind: str | None = None) -> StoredMedia:
        """Name a file where it lies; its absolute path goes into the sample and nothing is copied."""
        found = probe(path, kind=kind)
        digest, size = _hash_file(path)
        return self._stored(found, digest, size, str(path.resolve()))

    def new_scratch(self) -> Path:
        """A fresh temporary path on the store's own file system, named so that leftovers can be told apart."""
        return scratch_path(self.scratch)

    def sweep_scratch(self) -> int:
        """Remove the temporary files that dead processes of this host left; return how many."""
        removed = 0
        for path in self._scratch_files():
            host, _, rest = path.name.rpartition("-")[0].rpartition("-")
            if host == socket.gethostname() and rest.isdigit() and not _is_alive(int(rest)):
                with contextlib.suppress(FileNotFoundError):
                    path.unlink()
                    removed += 1
        return removed

    def files(self) -> Iterator[Path]:
        """Every stored media file."""
        for path in self.root.glob(media_pattern(self._format)):
            if path.is_file():
                yield path

    def absolute(self, path: str) -> Path:
        """Where a sample's media path lies: linked paths are absolute, stored ones relative to the store."""
        return self.root / path

    def _scratch_files(self) -> list[Path]:
        return list(self.scratch.iterdir()) if self.scratch.is_dir() else []

    def _write_scratch(self, data: bytes) -> Path:
        scratch = self.scratch / _scratch_name()
        try:
            scratch.write_bytes(data)
        except FileNotFoundError:
            # The folder is there but for the first time; to ask each time would cost as much as the rename.
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


def scratch_path(folder: Path) -> Path:
    """A fresh path in a folder for temporary files; its name says which process of which host made it.

    Files made so follow the umask, because they may be moved into the store, where a team must read them.
    """
    folder.mkdir(parents=True, exist_ok=True)
    return folder / _scratch_name()


def _scratch_name() -> str:
    return f"{socket.gethostname()}-{os.getpid()}-{next(_counter)}"


def _holds(target: Path, size: int) -> bool:
    """Whether the file is there; its time is renewed, so that `store gc` lets it be until its row is committed."""
    try:
        if target.stat().st_size != size:
            return False
        with contextlib.suppress(PermissionError):
            os.utime(target)
    except FileNotFoundError:
        return False
    return True


def _hash_file(path: Path) -> tuple[str, int]:
    digest = hashlib.sha256()
    size = 0
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
            size += len(chunk)
    return digest.hexdigest(), size


def _copy_and_hash(source: Path, target: Path) -> tuple[str, int]:
    digest = hashlib.sha256()
    size = 0
    with source.open("rb") as reading, target.open("wb") as writing:
        while chunk := reading.read(_CHUNK):
            digest.update(chunk)
            writing.write(chunk)
            size += len(chunk)
    return digest.hexdigest(), size


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def free_bytes(path: Path) -> int:
    """Free space on the file system of `path`, in bytes."""
    while not path.exists():
        path = path.parent
    return shutil.disk_usage(path).free


__all__ = ["MediaError", "MediaStore", "StoredMedia", "free_bytes", "probe"]
