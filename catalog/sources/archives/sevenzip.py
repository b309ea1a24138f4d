"""The 7z format as a list of entries, read from a file that can seek: its directory stands at its end.

Members are pulled piece by piece out of their block, nothing of them is kept. A block holds many members packed as
one, so one that is left out is unpacked (and dropped) only where a later one of the same block is asked for; after
damage nothing more of that block can be read. py7zr parses the directory and unpacks; it comes with the extra
`archives`.
"""

from __future__ import annotations

import lzma
import stat
import struct
import zlib
from collections.abc import Iterator
from itertools import accumulate
from typing import Any, BinaryIO

from .decompress import PIECE_BYTES
from .safety import ArchiveFault, Limits

SEVEN_ZIP = b"7z\xbc\xaf\x27\x1c"
LOCKED = "it is encrypted; give its password"


class SevenEntry:
    """One member, in the shape of a zip's entry."""

    def __init__(self, blocks: _Blocks, info: Any, refused: tuple[str, str] | None) -> None:
        self.name: str = info.filename.replace("\\", "/")
        self.kind = _kind(info)
        self.size: int = 0 if info.emptystream else info.uncompressed
        self.packed: int = info.compressed or 0
        self.refused = refused
        self._blocks = blocks
        self._info = info
        self._pieces: Iterator[bytes] | None = None

    def take(self) -> bytes:
        """The next bytes, `b""` at the end.

        Raises:
            ArchiveFault: Damaged; the checksum is held against the bytes at their end.
        """
        if self._pieces is None:
            self._pieces = self._blocks.pieces(self._info)
        return next(self._pieces, b"")

    def close(self) -> None:
        if self._pieces is not None:
            # What its reader left belongs to the block: the next member begins behind it.
            self._blocks.leave(self._pieces)


class _Blocks:
    """The packed blocks, each unpacked once from its start."""

    def __init__(self, archive: Any, infos: list[Any], file: BinaryIO, locked: bool) -> None:
        self._file = file
        self._locked = locked
        streams = archive.header.main_streams
        self._folders = [] if streams is None else streams.unpackinfo.folders
        positions = [] if streams is None else streams.packinfo.packpositions
        counts = (max(1, len(folder.packed_indices)) for folder in self._folders)
        firsts = accumulate(counts, initial=0)
        start = archive.worker.src_start
        self._starts = {
            id(folder): start + positions[first] for folder, first in zip(self._folders, firsts, strict=False)
        }
        self._members: dict[int, list[Any]] = {}
        for info in infos:
            if not info.emptystream:
                self._members.setdefault(id(info.folder), []).append(info)
        self._block: int | None = None
        self._next = 0
        self._packed_at = 0
        self._open: Iterator[bytes] | None = None
        self._broken = False

    def pieces(self, info: Any) -> Iterator[bytes]:
        if info.emptystream:
            return
        if id(info.folder) != self._block:
            self._block, self._next, self._broken = id(info.folder), 0, False
            self._packed_at = self._starts[self._block]
        inside = self._members[id(info.folder)]
        while inside[self._next] is not info:
            for _ in self._unpack(inside[self._next]):
                pass
        yield from self._unpack(info)

    def leave(self, pieces: Iterator[bytes]) -> None:
        try:
            for _ in pieces:
                pass
        except ArchiveFault:
            self._broken = True

    def _unpack(self, info: Any) -> Iterator[bytes]:
        if self._broken:
            raise ArchiveFault("corrupt_member", "its block is damaged before it")
        self._next += 1
        left, found = info.uncompressed, 0
        try:
            unpacker = info.folder.get_decompressor(info.compressed)
            while left:
                self._file.seek(self._packed_at)
                data = unpacker.decompress(self._file, min(left, PIECE_BYTES))
                moved, self._packed_at = self._file.tell() - self._packed_at, self._file.tell()
                if not data and not moved:
                    raise ArchiveFault("corrupt_member", "its block ends too early")
                left -= len(data)
                found = zlib.crc32(data, found)
                # A reader may stop at the size: the last bytes are handed out only when the checksum holds.
                if not left and info.crc32 is not None and found != info.crc32:
                    self._broken = self._locked
                    raise self._fault("its checksum is another")
                if data:
                    yield bytes(data)
        except ArchiveFault as fault:
            # A false checksum leaves the block readable; what ends too early does not.
            self._broken = self._broken or left > 0
            raise fault
        except _damage() as error:
            self._broken = True
            raise self._fault(str(error) or type(error).__name__) from error

    def _fault(self, why: str) -> ArchiveFault:
        if self._locked:
            return ArchiveFault("wrong_password", "the password does not open it, or its bytes are damaged")
        return ArchiveFault("corrupt_member", f"its bytes are damaged ({why})")


def seven_entries(file: BinaryIO, limits: Limits, password: str | None = None) -> Iterator[SevenEntry]:
    """The members in the order of the directory, folders left out.

    Raises:
        ArchiveFault: The directory is missing, damaged or encrypted, or py7zr is not installed.
    """
    try:
        import py7zr
    except ImportError as error:
        raise ArchiveFault("reader_missing", "7z needs py7zr: pip install 'triptych[archives]'") from error
    file.seek(0)
    try:
        archive = py7zr.SevenZipFile(file, "r", password=password)
    except py7zr.exceptions.PasswordRequired as error:
        raise ArchiveFault("encrypted", LOCKED) from error
    except _damage() as error:
        if password is not None:
            raise ArchiveFault(
                "wrong_password", "the password does not open its directory, or it is damaged"
            ) from error
        raise ArchiveFault("corrupt_archive", f"its directory is missing or damaged ({error})") from error
    with archive:
        locked = bool(archive.needs_password())
        # Each walk over py7zr's list makes its items anew.
        infos = list(archive.files)
        blocks = _Blocks(archive, infos, file, locked)
        for info in infos:
            if not info.is_directory:
                yield SevenEntry(blocks, info, _refused(info, limits, locked and password is None))


def _kind(info: Any) -> str:
    if info.is_symlink or info.is_junction:
        return "link"
    return "file" if info.st_fmt in (None, 0, stat.S_IFREG) else "special"


def _refused(info: Any, limits: Limits, closed: bool) -> tuple[str, str] | None:
    if info.emptystream:
        return None
    if closed:
        return "encrypted", LOCKED
    # A block's packed size is given with its first member only; the others are measured by what is unpacked.
    if info.compressed and info.uncompressed > max(limits.ratio_grace, limits.ratio * info.compressed):
        return "inflation_bomb", f"{info.compressed:,} bytes inflate to {info.uncompressed:,}"
    return None


def _damage() -> tuple[type[Exception], ...]:
    """What py7zr raises over damaged bytes; it was made for whole ones."""
    from py7zr.exceptions import ArchiveError, PasswordRequired

    standard = (lzma.LZMAError, zlib.error, struct.error, EOFError, OSError, ValueError, OverflowError)
    return (ArchiveError, PasswordRequired, *standard, IndexError, KeyError, TypeError, AttributeError, AssertionError)
