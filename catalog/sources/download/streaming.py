"""A remote file, read from its start as a stream; every byte read is kept on disk.

`StreamingFile` first serves the prefix that earlier runs left in `partial/`, then continues from the network and
appends what it reads. Stopping after N bytes leaves a prefix of about N bytes (plus one network read, 64 KiB); reading
to the end leaves a complete, verified file. A dropped connection is resumed with a range request.

Before the prefix is served, one byte of it is requested from the host: if the file has changed, the download starts
over, and no byte of the old one is served. If it changes later, or the host ignores ranges, the file is fetched again
from the start and compared by SHA-256 with the bytes already served: if equal, reading continues; else `RemoteChanged`.
"""

from __future__ import annotations

import io
import threading
import time
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO, cast

from ....errors import GateError, NetworkError
from .checksums import Expected, Hasher
from .http import BodyDropped, HttpClient, HttpReply, NotFound, RangeRefused, RemoteChanged
from .resumable import (
    Downloaded,
    Notice,
    Progress,
    ResumableFile,
    check_offer,
    check_space,
    log_fetched,
    no_space_named,
    restart_notice,
    write_whole,
)

LOCAL_BYTES = 256 * 1024


class StreamingFile(io.RawIOBase):
    """A readable, non-seekable binary stream over a URL; holds the URL's lock until closed.

    Args:
        partial: The store's folder for downloads.
        expected: Size and checksums, verified at the end.
        progress: Called with the bytes served so far and the size.
        on_wait: Called when another process holds the lock of this URL.
        on_restart: Called when the prefix could not be continued.

    Raises:
        NotFound, GateError, NetworkError: On opening, or while reading.
        DamagedError: On the last read, if size or checksum differ; the downloaded bytes are deleted.
        RemoteChanged: While reading, if the file on the host has changed.
    """

    def __init__(
        self,
        client: HttpClient,
        url: str,
        partial: Path,
        *,
        expected: Expected | None = None,
        name: str | None = None,
        progress: Progress | None = None,
        on_wait: Notice | None = None,
        on_restart: Notice | None = None,
    ) -> None:
        super().__init__()
        self.url = url
        self.bytes_fetched = 0
        self._started = time.monotonic()
        self._client = client
        self._target = ResumableFile(partial, url, name=name)
        self._expected = expected or Expected()
        self._progress = progress
        self._on_restart = on_restart
        self._budget = client.budget()
        self._hasher = Hasher(self._expected)
        self._served = 0
        self._stored = 0
        self._pending = memoryview(b"")
        self._recheck: tuple[int, str] | None = None
        self._body: _Body | None = None
        self._out: BinaryIO | None = None
        self._prefix: BinaryIO | None = None
        self._finished: Downloaded | None = None
        self._busy = threading.Lock()
        with ExitStack() as held:
            held.enter_context(self._target.locked(on_wait))
            held.callback(self._release)
            self._open()
            self._held = held.pop_all()

    @property
    def etag(self) -> str | None:
        return self._target.state.etag

    @property
    def size(self) -> int | None:
        """Size of the whole file in bytes, if the host reports it."""
        return self._target.state.size

    @property
    def complete(self) -> bool:
        """Whether the whole file is stored and verified."""
        return self._finished is not None

    @property
    def finished(self) -> Downloaded | None:
        """The complete file, once it is stored."""
        return self._finished

    def readable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._served - len(self._pending)

    def read(self, size: int = -1) -> bytes:
        """Read at most `size` bytes, possibly fewer; all of them for -1; `b""` only at the end."""
        if size is None or size < 0:
            return self.readall()
        with self._busy:
            if self.closed:
                raise ValueError(f"{self.url}: read of a closed file.")
            return self._take(size)

    def readall(self) -> bytes:
        pieces = []
        while piece := self.read(LOCAL_BYTES):
            pieces.append(piece)
        return b"".join(pieces)

    def readinto(self, buffer: object) -> int:
        view = memoryview(cast("bytearray", buffer)).cast("B")
        data = self.read(len(view))
        view[: len(data)] = data
        return len(data)

    def discard(self) -> None:
        """Delete the downloaded bytes, because the reader finds them damaged; only `close` may be called afterwards."""
        self._release()
        self._target.discard()

    def close(self) -> None:
        if self.closed:
            return
        super().close()
        body = self._body
        if body is not None:
            # Interrupts a read that waits in another thread, so that the lock below is released soon.
            body.reply.close()
        with self._busy:
            self._held.close()

    def _open(self) -> None:
        self._finished = self._target.finished(self._expected)
        if self._finished is not None:
            self._prefix = self._finished.path.open("rb", buffering=0)
            self._stored = self._finished.size
            return
        if self._target.length and not self._still_the_same():
            self._notice_restart()
            self._target.discard()
        self._stored = self._target.length
        if self._stored:
            self._prefix = self._target.data.open("rb", buffering=0)
        elif not self._target.whole:
            self._connect()

    def _still_the_same(self) -> bool:
        target = self._target
        if target.whole:
            return True
        last = target.length - 1
        try:
            with self._client.open(self.url, start=last, end=last) as reply:
                return target.continues(reply, last)
        except RangeRefused:
            return False
        except (NotFound, GateError):
            raise
        except NetworkError:
            # The host is unreachable: the prefix may be enough. If not, `_connect` contacts the host again.
            return True

    def _take(self, size: int) -> bytes:
        while not self._pending and size:
            if self._served < self._stored and self._prefix is not None:
                return self._replay(size)
            if self._finished is not None or not self._fetch():
                return b""
        data = bytes(self._pending[:size])
        self._pending = self._pending[size:]
        self._report_progress()
        return data

    def _replay(self, size: int) -> bytes:
        assert self._prefix is not None
        data = self._prefix.read(min(size, self._stored - self._served))
        if self._finished is None:
            self._hasher.update(data)
        self._served += len(data)
        self._report_progress()
        return data

    def _fetch(self) -> bool:
        """Fetch one piece from the network; False at the end of the file."""
        while True:
            if self._recheck is None and self._stored == self.size:
                return self._finish()
            try:
                if self._body is None:
                    self._connect()
                assert self._body is not None
                chunk = next(self._body.chunks, None)
                if chunk is not None:
                    self._store(chunk)
                    if self._pending:
                        return True
                    continue
                if self.size is not None and self._stored < self.size:
                    raise BodyDropped(f"{self.url}: the body ended at {self._stored:,} of {self.size:,} bytes.")
                if self._recheck is not None:
                    self._changed()
                return self._finish()
            except BodyDropped as error:
                self._disconnect()
                if self.closed:
                    raise ValueError(f"{self.url}: closed while reading.") from error
                self._budget.failed(self.url, error.message)

    def _store(self, chunk: bytes) -> None:
        assert self._out is not None
        with no_space_named(self._target):
            write_whole(self._out, chunk)
        self.bytes_fetched += len(chunk)
        self._budget.received(len(chunk))
        self._stored += len(chunk)
        fresh = memoryview(chunk)
        if self._recheck is not None:
            fresh = self._compare(fresh)
        self._hasher.update(fresh)
        self._served += len(fresh)
        self._pending = fresh

    def _compare(self, chunk: memoryview) -> memoryview:
        """While a file is fetched again: compare it with the bytes served before; return the new part of the chunk."""
        assert self._recheck is not None
        served, digest = self._recheck
        known = chunk[: served - self._hasher.size]
        self._hasher.update(known)
        if self._hasher.size < served:
            return chunk[:0]
        if self._hasher.measured().sha256 != digest:
            self._changed()
        self._recheck = None
        return chunk[len(known) :]

    def _changed(self) -> None:
        self.discard()
        raise RemoteChanged(
            f"{self.url}: the file on the host changed while it was read, at byte {self._served:,}.",
            hint="Run the same command again; it starts over.",
        )

    def _connect(self) -> None:
        reply = self._target.connect(self._client, self._budget)
        try:
            check_offer(reply.remote, self._expected)
            if reply.start == 0:
                self._start_over(reply)
            check_space(self._target.folder, 1, self.url)
            self._out = self._target.appending()
        except BaseException:
            reply.close()
            raise
        self._body = _Body(reply)

    def _start_over(self, reply: HttpReply) -> None:
        if self._stored:
            self._notice_restart()
        if self._served and self._recheck is None:
            self._recheck = (self._served, self._hasher.measured().sha256)
        self._target.begin(reply.remote)
        self._hasher = Hasher(self._expected)
        self._stored = 0
        self._close_prefix()

    def _finish(self) -> bool:
        self._disconnect()
        self._finished = self._target.finish(self._hasher, self.bytes_fetched)
        log_fetched(self._finished, self.url, self._started)
        return False

    def _notice_restart(self) -> None:
        if self._on_restart is not None:
            self._on_restart(restart_notice(self.url, self._target.length))

    def _report_progress(self) -> None:
        if self._progress is not None:
            self._progress(self.tell(), self.size)

    def _disconnect(self) -> None:
        if self._body is not None:
            self._body.reply.close()
        if self._out is not None:
            self._out.close()
        self._body = self._out = None

    def _close_prefix(self) -> None:
        if self._prefix is not None:
            self._prefix.close()
        self._prefix = None

    def _release(self) -> None:
        self._disconnect()
        self._close_prefix()


class _Body:
    """A reply and its body, read piece by piece."""

    def __init__(self, reply: HttpReply) -> None:
        self.reply = reply
        self.chunks = reply.chunks()
