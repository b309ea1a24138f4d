"""The 7z format as a list of entries, read from a file that can seek: its directory stands at its end.

py7zr (the extra `archives`) parses the directory and unpacks. It hands members over as it goes and does not wait to be
asked, so it runs in a thread that stops where nobody takes more: a few pieces of 256 kB are kept between it and the
reader, beside the one that py7zr unpacks at once: 1 MB of packed bytes, inflated to 128 MB at most. It begins with the
first member that somebody reads. Members that nobody wants are unpacked and dropped where a later one is read, since a
block holds many packed as one. After damage nothing more of that block is read.
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
LOCKED = "it is encrypted; give its password"
PIECES_AHEAD = 4


class SevenEntry:
    """One member, in the shape of a zip's entry."""

    def __init__(self, unpacker: _Unpacker, number: int, info: FileInfo, refused: tuple[str, str] | None) -> None:
        self.name: str = info.filename.replace("\\", "/")
        self.kind = "link" if info.is_symlink else "file" if info.is_file else "special"
        self.size: int = info.uncompressed
        self.packed: int = info.compressed or 0
        self.refused = refused
        self._pieces = unpacker.pieces(number)

    def take(self) -> bytes:
        """The next bytes, `b""` at the end.

        Raises:
            ArchiveFault: Damaged; the checksum is held against the bytes before the last of them are handed out.
        """
        return next(self._pieces, b"")

    def close(self) -> None:
        """What its reader left is dropped when a later member is read."""
        self._pieces.close()


class _Piece(NamedTuple):
    """Bytes of a member, its end (no bytes), or what ended the run (no member)."""

    number: int | None
    data: bytes = b""
    error: BaseException | None = None


class _Stopped(Exception):
    """Nobody takes any more."""


class _Unpacker:
    """Hands over the members of an archive in their order; those before the one that is asked for are dropped."""

    def __init__(self, archive: SevenZipFile, infos: list[FileInfo], locked: bool) -> None:
        self._archive = archive
        self._infos = infos
        self._locked = locked
        self._blocks: list[int] = []
        for info in infos:
            # Only the first member of a block has a packed size; members without bytes lie in none.
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
            raise ArchiveFault("corrupt_member", "its block is damaged before it")
        if self._run is None:
            if self._next:
                self._archive.reset()
            self._run = _Run(self._archive, self._infos, number)
        if not self._run.holds(number):
            raise ArchiveFault("corrupt_member", "its name is that of something which is no file, too")
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
        # It was one that is dropped. What lies in another block is unpacked in a run of its own, which begins later.
        return self._take(number)

    def _fault(self, error: BaseException) -> ArchiveFault:
        if self._locked:
            return ArchiveFault("wrong_password", "the password does not open it, or its bytes are damaged")
        return ArchiveFault("corrupt_member", f"its bytes are damaged ({error or type(error).__name__})")


class _Run:
    """py7zr unpacking in a thread, from one member on.

    Attributes:
        first: The member that it begins with.
        member: The one that it is at, or will be at next.
    """

    def __init__(self, archive: SevenZipFile, infos: list[FileInfo], first: int) -> None:
        self._infos = infos
        self._queue: queue.Queue[_Piece] = queue.Queue(PIECES_AHEAD)
        self._stopped = Event()
        names = {info.filename for info in infos[first:] if _may_unpack(info)}
        names -= {info.filename for info in infos if not _is_written(info)}
        # A name may stand twice: py7zr unpacks what came before of that name too, and it is dropped.
        self._expected = [
            number for number, info in enumerate(infos) if info.uncompressed and info.filename in names
        ]  # fmt: skip
        self._held = set(self._expected)
        self.first = first
        self._done = 0
        # py7zr looks each name up below a folder, though nothing is written: in an empty one it meets no links.
        self._nowhere = tempfile.TemporaryDirectory(prefix="triptych-7z-")
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
        self._nowhere.cleanup()

    def holds(self, number: int) -> bool:
        """Whether the member is among those that are unpacked."""
        return number in self._held

    def begin(self) -> int:
        """The member whose first bytes have come."""
        if self._done >= len(self._expected):
            raise ValueError("it holds more members than its directory says")
        return self._expected[self._done]

    def end(self) -> None:
        """That member is whole."""
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
            archive.extract(self._nowhere.name, names, factory=_factory(self))
            error = EOFError("its block ends too early")
        except _Stopped:
            return
        except BaseException as caught:  # noqa: BLE001 - it is raised again where the bytes are read
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
    """What py7zr asks for a place to write each member to."""
    from py7zr.io import Py7zIO, WriterFactory

    class Member(Py7zIO):
        """One member; which, is known when its first bytes come: members without any may be asked for in any order."""

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
            # A reader may stop at the size: the last bytes are handed out only when the checksum holds.
            if self._left <= 0 and expected is not None and self._sum != expected:
                raise ValueError("its checksum is another")
            run.hand_over(self._number, memoryview(s))
            if self._left <= 0:
                run.end()
            return len(s)

        def read(self, size: int | None = None) -> bytes:
            return b""

        def seek(self, offset: int, whence: int = 0) -> int:
            return 0

        def flush(self) -> None:
            """Nothing is kept."""

        def size(self) -> int:
            return 0

    class Members(WriterFactory):
        def create(self, filename: str) -> Py7zIO:
            return Member()

    return Members()


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
    """Whether py7zr would take its name; one that it would not take ends a run."""
    return not info.is_directory and not _has_drive(info.filename) and safe_name(info.filename) is not None


def _is_written(info: FileInfo) -> bool:
    """Whether py7zr asks for a place to write it to; of devices and sockets that depends."""
    return not info.is_directory and (info.is_file or info.is_symlink)


def _has_drive(name: str) -> bool:
    return re.match(r"[/\\]*[A-Za-z]:", name) is not None


def _refused(info: FileInfo, limits: Limits, closed: bool) -> tuple[str, str] | None:
    if not info.uncompressed:
        return None
    if closed:
        return "encrypted", LOCKED
    # A block's packed size is given with its first member only; the others are measured by what is unpacked.
    if info.compressed and info.uncompressed > max(limits.ratio_grace, limits.ratio * info.compressed):
        return "inflation_bomb", f"{info.compressed:,} bytes inflate to {info.uncompressed:,}"
    if _has_drive(info.filename):
        return "unsafe_path", "its path begins with a drive"
    return None


def _damage() -> tuple[type[Exception], ...]:
    """What py7zr raises over damaged bytes; it was made for whole ones."""
    from py7zr.exceptions import ArchiveError, PasswordRequired

    standard = (lzma.LZMAError, zlib.error, struct.error, EOFError, OSError, ValueError, OverflowError)
    return (ArchiveError, PasswordRequired, *standard, IndexError, KeyError, TypeError, AttributeError, AssertionError)
