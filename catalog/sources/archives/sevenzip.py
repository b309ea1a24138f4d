"""The 7z format as a list of entries, read from a seekable file: its directory is at its end.

py7zr (the extra `archives`) parses the directory and decompresses. It pushes members to a callback instead of being
read from, so it runs in a thread that blocks while the reader is behind: a few pieces of 256 kB are buffered, besides
the piece that py7zr decompresses at once: 1 MB of compressed bytes, at most 128 MB decompressed. It starts with the
first member that is read. Skipped members are decompressed and dropped if a later one is read, since a block compresses
many members together. After damage the rest of that block is not read.
"""

from __future__ import annotations

import lzma
import queue
import re
import struct
import tempfile
import zlib
from collections.abc import Generator, Iterator
from threading import Event, Thread
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

from .decompress import PIECE_BYTES
from .safety import ArchiveFault, Limits, safe_name

if TYPE_CHECKING:
    from py7zr import FileInfo, SevenZipFile

SEVEN_ZIP = b"7z\xbc\xaf\x27\x1c"
LOCKED = "it is encrypted; a password is needed"
PIECES_AHEAD = 4


class SevenEntry:
    """One member, with the interface of `ZipEntry`."""

    def __init__(self, unpacker: _Unpacker, number: int, info: FileInfo, refused: tuple[str, str] | None) -> None:
        self.name: str = info.filename.replace("\\", "/")
        self.kind = "link" if info.is_symlink else "file" if info.is_file else "special"
        self.size: int = info.uncompressed
        self.packed: int = info.compressed or 0
        self.refused = refused
        self._pieces = unpacker.pieces(number)

    def take(self) -> bytes:
        """Return the next bytes, `b""` at the end.

        Raises:
            ArchiveFault: Damaged; the checksum is verified before the last bytes are returned.
        """
        return next(self._pieces, b"")

    def close(self) -> None:
        """End reading; the unread rest is dropped when a later member is read."""
        self._pieces.close()


class _Piece(NamedTuple):
    """Bytes of a member, its end (no bytes), or the error that ended the run (no member)."""

    number: int | None
    data: bytes = b""
    error: BaseException | None = None


class _Stopped(Exception):
    """The reader has stopped."""


class _Unpacker:
    """Provides the members of an archive in order; those before the requested one are dropped."""

    def __init__(self, archive: SevenZipFile, infos: list[FileInfo], locked: bool) -> None:
        self._archive = archive
        self._infos = infos
        self._locked = locked
        self._blocks: list[int] = []
        for info in infos:
            # Only the first member of a block has a compressed size; empty members belong to no block.
            begins = info.compressed is not None and info.uncompressed > 0
            self._blocks.append((self._blocks[-1] if self._blocks else 0) + begins)
        self._run: _Run | None = None
        self._next = 0
        self._broken: int | None = None

    def pieces(self, number: int) -> Generator[bytes, None, None]:
        if not self._infos[number].uncompressed:
            return
        while True:
            piece = self._take(number)
            if piece.number == number and not piece.data:
                return
            if piece.number == number:
                yield piece.data

    def stop(self) -> None:
        if self._run is not None:
            self._run.stop()
            self._run = None

    def _take(self, number: int) -> _Piece:
        if self._blocks[number] == self._broken:
            raise ArchiveFault("corrupt_member", "its block is damaged before this member")
        if self._run is None:
            if self._next:
                self._archive.reset()
            self._run = _Run(self._archive, self._infos, number)
        if not self._run.holds(number):
            raise ArchiveFault("corrupt_member", "another member of the same name is not a file")
        piece = self._run.take()
        if piece.error is None:
            if not piece.data and piece.number is not None:
                self._next = piece.number + 1
            return piece
        damaged, first = self._run.member, self._run.first
        self.stop()
        if not isinstance(piece.error, _damage()):
            raise piece.error
        self._next = max(self._next, damaged + 1)
        self._broken = self._blocks[damaged]
        if damaged == number or damaged < first:
            raise self._fault(piece.error) from piece.error
        # A dropped member was damaged. Members of other blocks are decompressed in a new run, which starts later.
        return self._take(number)

    def _fault(self, error: BaseException) -> ArchiveFault:
        if self._locked:
            return ArchiveFault("wrong_password", "the password does not open it, or its bytes are damaged")
        return ArchiveFault("corrupt_member", f"its bytes are damaged ({error or type(error).__name__})")


class _Run:
    """py7zr decompressing in a thread, from one member on.

    Attributes:
        first: The first member.
        member: The current member, or the next one.
    """

    def __init__(self, archive: SevenZipFile, infos: list[FileInfo], first: int) -> None:
        self._infos = infos
        self._queue: queue.Queue[_Piece] = queue.Queue(PIECES_AHEAD)
        self._stopped = Event()
        names = {info.filename for info in infos[first:] if _may_unpack(info)}
        names -= {info.filename for info in infos if not _is_written(info)}
        # A name may occur twice: py7zr then also unpacks the earlier member of that name, which is dropped.
        self._expected = [
            number for number, info in enumerate(infos) if info.uncompressed and info.filename in names
        ]  # fmt: skip
        self._held = set(self._expected)
        self.first = first
        self._done = 0
        # py7zr resolves each name below a folder, though nothing is written: an empty one contains no links.
        self._empty_folder = tempfile.TemporaryDirectory(prefix="triptych-7z-")
        self._thread = Thread(target=self._unpack, args=(archive, names), daemon=True)
        self._thread.start()

    @property
    def member(self) -> int:
        return self._expected[min(self._done, len(self._expected) - 1)]

    def take(self) -> _Piece:
        return self._queue.get()

    def stop(self) -> None:
        self._stopped.set()
        self._thread.join()
        self._empty_folder.cleanup()

    def holds(self, number: int) -> bool:
        """Whether this run decompresses the member."""
        return number in self._held

    def begin(self) -> int:
        """Return the member whose first bytes have arrived."""
        if self._done >= len(self._expected):
            raise ValueError("it contains more members than its directory lists")
        return self._expected[self._done]

    def end(self) -> None:
        """Mark that member as complete."""
        self._put(_Piece(self._expected[self._done]))
        self._done += 1

    def hand_over(self, number: int, data: memoryview) -> None:
        if number >= self.first:
            for start in range(0, len(data), PIECE_BYTES):
                self._put(_Piece(number, bytes(data[start : start + PIECE_BYTES])))

    def info(self, number: int) -> FileInfo:
        return self._infos[number]

    def _unpack(self, archive: SevenZipFile, names: set[str]) -> None:
        error: BaseException | None
        try:
            archive.extract(self._empty_folder.name, names, factory=_factory(self))
            error = EOFError("its block ends too early")
        except _Stopped:
            return
        except BaseException as caught:  # noqa: BLE001 - raised again where the bytes are read
            error = caught
        try:
            self._put(_Piece(None, error=error))
        except _Stopped:
            return

    def _put(self, piece: _Piece) -> None:
        while not self._stopped.is_set():
            try:
                self._queue.put(piece, timeout=0.05)
                return
            except queue.Full:
                continue
        raise _Stopped


def _factory(run: _Run) -> Any:
    """Return the factory of the objects that py7zr writes members to."""
    from py7zr.io import Py7zIO, WriterFactory

    class Member(Py7zIO):
        """One member; known only when its first bytes arrive: py7zr may create empty members in any order."""

        def __init__(self) -> None:
            self._number: int | None = None
            self._left = self._sum = 0

        def write(self, s: bytes | bytearray) -> int:
            if self._number is None:
                self._number = run.begin()
                self._left = run.info(self._number).uncompressed
            self._left -= len(s)
            self._sum = zlib.crc32(s, self._sum)
            expected = run.info(self._number).crc32
            # A reader may stop at the size: the last bytes are passed on only if the checksum matches.
            if self._left <= 0 and expected is not None and self._sum != expected:
                raise ValueError("its checksum does not match")
            run.hand_over(self._number, memoryview(s))
            if self._left <= 0:
                run.end()
            return len(s)

        def read(self, size: int | None = None) -> bytes:
            return b""

        def seek(self, offset: int, whence: int = 0) -> int:
            return 0

        def flush(self) -> None:
            """Nothing is buffered."""

        def size(self) -> int:
            return 0

    class Members(WriterFactory):
        def create(self, filename: str) -> Py7zIO:
            return Member()

    return Members()


def seven_entries(file: BinaryIO, limits: Limits, password: str | None = None) -> Iterator[SevenEntry]:
    """Yield the members in the order of the directory, without folders.

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
        infos = archive.list()
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
        unpacker = _Unpacker(archive, infos, locked)
        try:
            for number, info in enumerate(infos):
                if not info.is_directory:
                    yield SevenEntry(unpacker, number, info, _refused(info, limits, locked and password is None))
        finally:
            unpacker.stop()


def _may_unpack(info: FileInfo) -> bool:
    """Whether py7zr accepts its name; a name that it rejects ends a run."""
    return not info.is_directory and not _has_drive(info.filename) and safe_name(info.filename) is not None


def _is_written(info: FileInfo) -> bool:
    """Whether py7zr always writes this member; whether it writes devices and sockets depends."""
    return not info.is_directory and (info.is_file or info.is_symlink)


def _has_drive(name: str) -> bool:
    return re.match(r"[/\\]*[A-Za-z]:", name) is not None


def _refused(info: FileInfo, limits: Limits, closed: bool) -> tuple[str, str] | None:
    if not info.uncompressed:
        return None
    if closed:
        return "encrypted", LOCKED
    # Only the first member of a block has a compressed size; the others are checked while decompressing.
    if info.compressed and info.uncompressed > max(limits.ratio_grace, limits.ratio * info.compressed):
        return "inflation_bomb", f"{info.compressed:,} bytes decompress to {info.uncompressed:,}"
    if _has_drive(info.filename):
        return "unsafe_path", "its path begins with a drive letter"
    return None


def _damage() -> tuple[type[Exception], ...]:
    """Return the errors of py7zr on damaged bytes, which it is not written for."""
    from py7zr.exceptions import ArchiveError, PasswordRequired

    standard = (lzma.LZMAError, zlib.error, struct.error, EOFError, OSError, ValueError, OverflowError)
    return (ArchiveError, PasswordRequired, *standard, IndexError, KeyError, TypeError, AttributeError, AssertionError)
