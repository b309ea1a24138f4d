"""Byte streams for the archive readers: `ByteReader` reads exact sizes, `DecompressedStream` decompresses in a thread.

gzip is decompressed by ISA-L if it is installed (two to three times as fast as zlib), bzip2 and xz by the standard
library; all verify their checksums. The thread runs at most 1 MiB ahead of its reader and releases the GIL while
decompressing, so parsing and storing run in parallel.

Errors of the underlying stream (`NetworkError`, `DamagedError`, `OSError`) pass through unchanged; damaged compressed
data is an `ArchiveFault`.
"""

from __future__ import annotations

import os
import stat
import threading
from collections import deque
from collections.abc import Callable
from typing import BinaryIO, Protocol, cast

from .safety import ArchiveFault, Limits, ReadTotals

PIECE_BYTES = 256 * 1024
PIECES_AHEAD = 4
XZ_MEMORY = 1024**3
CLOSING_SECONDS = 5.0

MAGIC = {"gzip": b"\x1f\x8b", "bzip2": b"BZh", "xz": b"\xfd7zXZ\x00"}


class Decompressor(Protocol):
    """The common interface of `bz2`, `lzma` and `igzip_lib`."""

    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int = -1, /) -> bytes: ...


class ByteReader:
    """A stream read in exact amounts: `read(n)` is shorter than `n` only at the end."""

    def __init__(self, take: Callable[[], bytes], *, jump: Callable[[int], bool] | None = None) -> None:
        self._take = take
        self._jump = jump
        self._view = memoryview(b"")
        self.position = 0

    @classmethod
    def of(cls, stream: BinaryIO, totals: ReadTotals | None = None) -> ByteReader:
        """Read from a binary stream; in a local file, skipping seeks. `totals` counts the bytes read."""

        def take() -> bytes:
            data = stream.read(PIECE_BYTES)
            if totals is not None:
                totals.consumed += len(data)
            return data

        return cls(take, jump=_jumper(stream))

    def take(self) -> bytes:
        """Return the next bytes, as many as are at hand; `b""` at the end."""
        data = bytes(self._view) if self._view else self._take()
        self._view = memoryview(b"")
        self.position += len(data)
        return data

    def peek(self, count: int) -> bytes:
        """Return the next bytes without consuming them."""
        self._fill(count)
        return bytes(self._view[:count])

    def read(self, count: int) -> bytes:
        view = self._view
        if count <= len(view):
            self._view = view[count:]
            self.position += count
            return bytes(view[:count])
        pieces: list[bytes | memoryview] = [view]
        missing = count - len(view)
        while missing and (data := self._take()):
            pieces.append(data if len(data) <= missing else memoryview(data)[:missing])
            self._view = memoryview(data)[missing:]
            missing -= len(pieces[-1])
        if missing:
            self._view = memoryview(b"")
        self.position += count - missing
        return b"".join(pieces)

    def skip(self, count: int) -> bool:
        """Skip `count` bytes; False if the stream ends before."""
        here = min(count, len(self._view))
        self._view = self._view[here:]
        self.position += here
        count -= here
        if count and self._jump is not None and self._jump(count):
            self.position += count
            return True
        while count and (data := self._take()):
            step = min(count, len(data))
            self._view = memoryview(data)[step:]
            self.position += step
            count -= step
        return count == 0

    def drain(self) -> None:
        """Read to the end, so that a checksum at the end is verified."""
        while self.take():
            pass

    def _fill(self, count: int) -> None:
        while len(self._view) < count and (data := self._take()):
            self._view = memoryview(bytes(self._view) + data) if self._view else memoryview(data)


class Section:
    """The bytes of one member of an outer archive, as a stream."""

    def __init__(self, source: ByteReader, size: int) -> None:
        self._source = source
        self._left = size

    def take(self) -> bytes:
        data = self._source.read(min(self._left, PIECE_BYTES))
        self._left -= len(data)
        return data


class DecompressedStream:
    """A compressed stream, decompressed in its own thread. Closing it ends the thread."""

    def __init__(self, source: ByteReader, packing: str, limits: Limits, totals: ReadTotals, depth: int) -> None:
        self._source = source
        self._packing = packing
        self._limits = limits
        self._totals = totals
        self._depth = depth
        self._ready: deque[bytes] = deque()
        self._changed = threading.Condition()
        self._ended = False
        self._closed = False
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name=f"inflate-{packing}", daemon=True)
        self._thread.start()

    def take(self) -> bytes:
        """Return the next piece, `b""` at the end.

        Raises:
            ArchiveFault: The compressed data is damaged, truncated, or a bomb; all data before it was returned.
        """
        with self._changed:
            while not self._ready and not self._ended:
                self._changed.wait()
            if self._ready:
                self._changed.notify_all()
                return self._ready.popleft()
        if self._failure is not None:
            raise self._failure
        return b""

    def close(self) -> None:
        with self._changed:
            self._closed = True
            self._ready.clear()
            self._changed.notify_all()
        # Do not wait for a thread that waits for a stalled host; it ends when its stream is closed. Inside another
        # archive do wait, because the outer one goes on reading where this one ends.
        self._thread.join(CLOSING_SECONDS if self._depth == 1 else None)

    def _run(self) -> None:
        try:
            self._inflate()
        except BaseException as error:  # noqa: BLE001 - raised again in the reader's thread, by `take`
            self._failure = error
        finally:
            with self._changed:
                self._ended = True
                self._changed.notify_all()

    def _inflate(self) -> None:
        data = b""
        while True:
            data = self._with_magic(data)
            if not data.startswith(MAGIC[self._packing]):
                # The end, or padding after it. Drain the source: it may verify a checksum at its own end.
                self._source.drain()
                return
            rest = self._inflate_one(data)
            if rest is None:
                return
            data = rest

    def _with_magic(self, data: bytes) -> bytes:
        while len(data) < len(MAGIC[self._packing]) and (more := self._source.take()):
            data += more
        return data

    def _inflate_one(self, data: bytes) -> bytes | None:
        """Decompress one of possibly several streams; return the bytes after it, or None if the reader has closed."""
        decompressor = _decompressor(self._packing)
        while True:
            if not self._put(self._unpack(decompressor, data)):
                return None
            if decompressor.eof:
                return decompressor.unused_data
            data = self._source.take() if decompressor.needs_input else b""
            if decompressor.needs_input and not data:
                raise ArchiveFault("truncated_archive", f"the {self._packing} data end too early")

    def _unpack(self, decompressor: Decompressor, data: bytes) -> bytes:
        try:
            return decompressor.decompress(data, PIECE_BYTES)
        except _packing_errors(self._packing) as error:
            raise ArchiveFault("corrupt_archive", f"the {self._packing} data are damaged ({error})") from error

    def _put(self, piece: bytes) -> bool:
        self._totals.inflate(len(piece), self._totals.consumed, self._depth, self._limits)
        with self._changed:
            while len(self._ready) >= PIECES_AHEAD and not self._closed:
                self._changed.wait()
            if piece and not self._closed:
                self._ready.append(piece)
                self._changed.notify_all()
            return not self._closed


class _Zlib:
    """zlib's decompressor with the interface of the others."""

    def __init__(self) -> None:
        import zlib

        self._inner = zlib.decompressobj(wbits=31)

    @property
    def eof(self) -> bool:
        return self._inner.eof

    @property
    def needs_input(self) -> bool:
        return not self._inner.unconsumed_tail

    @property
    def unused_data(self) -> bytes:
        return self._inner.unused_data

    def decompress(self, data: bytes, max_length: int = -1, /) -> bytes:
        return self._inner.decompress(self._inner.unconsumed_tail + data, max(0, max_length))


def _decompressor(packing: str) -> Decompressor:
    if packing == "bzip2":
        import bz2

        return bz2.BZ2Decompressor()
    if packing == "xz":
        import lzma

        return lzma.LZMADecompressor(memlimit=XZ_MEMORY)
    try:
        from isal import igzip_lib
    except ImportError:
        return _Zlib()
    decompressor: Decompressor = igzip_lib.IgzipDecompressor(flag=igzip_lib.DECOMP_GZIP)
    return decompressor


def _packing_errors(packing: str) -> tuple[type[Exception], ...]:
    if packing == "bzip2":
        return (OSError, ValueError)
    if packing == "xz":
        import lzma

        return (lzma.LZMAError,)
    import zlib

    try:
        from isal import igzip_lib
    except ImportError:
        return (zlib.error,)
    # Its type stub declares the class as an instance.
    return (zlib.error, cast("type[Exception]", igzip_lib.IsalError))


def _jumper(stream: BinaryIO) -> Callable[[int], bool] | None:
    """Return a function that skips in a local file without reading; None for any other stream."""
    try:
        status = os.fstat(stream.fileno())
    except (OSError, AttributeError):
        return None
    if not stat.S_ISREG(status.st_mode) or not stream.seekable():
        return None

    def jump(count: int) -> bool:
        # Never seek beyond the end: a truncated file must be noticed.
        if stream.tell() + count > status.st_size:
            return False
        stream.seek(count, os.SEEK_CUR)
        return True

    return jump
