"""A file on a host, read from its start as a stream, of which every byte read is kept.

`StreamingFile` first serves the prefix that earlier runs left in `partial/`, then goes on from the network and appends
what it takes. Whoever leaves after N bytes leaves a prefix of about N bytes (one network read more, 64 KiB); whoever
reads to the end gets a checked, finished file. A connection that drops is resumed by range.

Before the prefix is served, the host is asked for one byte of it: a file that changed meanwhile starts over, and
nobody gets a byte of the old one. Should it change later, or the host not honour ranges, the file is fetched again
from zero and compared by SHA-256 with what was already given out: equal, and reading goes on; else `RemoteChanged`.
"""

from __future__ import annotations

import io
import threading
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
    no_space_named,
    restart_notice,
    write_whole,
)

LOCAL_BYTES = 256 * 1024


class StreamingFile(io.RawIOBase):
    """A readable, not seekable binary stream over a URL; holds the URL's lock until closed.

    Args:
        partial: The store's folder for downloads.
        expected: Size and checksums, verified at the end.
        progress: Told the bytes given out so far and the size.
        on_wait: Told when another process holds the same URL.
        on_restart: Told when the prefix could not be continued.

    Raises:
        NotFound, GateError, NetworkError: When opened, or while reading.
        DamagedError: By the last read, where size or checksum differ; what was fetched is deleted.
        RemoteChanged: While reading, where the file changed under the reader.
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
        self._client = client
        self._target = ResumableFile(partial, url, name=name)
        self._expected = expected or Expected()
        self._progress = progress
        self._on_restart = on_restart
        self._budget = client.budget()
        self._hasher = Hasher(self._expected)
        self._given = 0
        self._stored = 0
        self._pending = memoryview(b"")
        self._owed: tuple[int, str] | None = None
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
        """Bytes of the whole file, where the host says."""
        return self._target.state.size

    @property
    def complete(self) -> bool:
        """Whether the whole file is here and was checked."""
        return self._finished is not None

    @property
    def finished(self) -> Downloaded | None:
        """The whole file, once it is here."""
        return self._finished

    def readable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._given - len(self._pending)

    def read(self, size: int = -1) -> bytes:
        """At most `size` bytes, as many as there are at hand; all of them for -1; `b""` only at the end."""
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
        """Delete what was fetched, for a reader that finds the bytes damaged; then only `close` is left to do."""
        self._release()
        self._target.discard()

    def close(self) -> None:
        if self.closed:
            return
        super().close()
        body = self._body
        if body is not None:
            # Ends a read that waits in another thread, so that the lock below comes soon.
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
            # The host is away: the prefix may be all that is wanted. If not, `_connect` meets the host again.
            return True

    def _take(self, size: int) -> bytes:
        while not self._pending and size:
            if self._given < self._stored and self._prefix is not None:
                return self._replay(size)
            if self._finished is not None or not self._fetch():
                return b""
        data = bytes(self._pending[:size])
        self._pending = self._pending[size:]
        self._tell_progress()
        return data

    def _replay(self, size: int) -> bytes:
        assert self._prefix is not None
        data = self._prefix.read(min(size, self._stored - self._given))
        if self._finished is None:
            self._hasher.update(data)
        self._given += len(data)
        self._tell_progress()
        return data

    def _fetch(self) -> bool:
        """Take one piece from the network; False at the end of the file."""
        while True:
            if self._owed is None and self._stored == self.size:
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
                if self._owed is not None:
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
        if self._owed is not None:
            fresh = self._compare(fresh)
        self._hasher.update(fresh)
        self._given += len(fresh)
        self._pending = fresh

    def _compare(self, chunk: memoryview) -> memoryview:
        """While a file is fetched again: hold what was given out against it; returns what is new of the chunk."""
        assert self._owed is not None
        given, digest = self._owed
        known = chunk[: given - self._hasher.size]
        self._hasher.update(known)
        if self._hasher.size < given:
            return chunk[:0]
        if self._hasher.measured().sha256 != digest:
            self._changed()
        self._owed = None
        return chunk[len(known) :]

    def _changed(self) -> None:
        self.discard()
        raise RemoteChanged(
            f"{self.url}: the file on the host changed while it was read, at byte {self._given:,}.",
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
        if self._given and self._owed is None:
            self._owed = (self._given, self._hasher.measured().sha256)
        self._target.begin(reply.remote)
        self._hasher = Hasher(self._expected)
        self._stored = 0
        self._close_prefix()

    def _finish(self) -> bool:
        self._disconnect()
        self._finished = self._target.finish(self._hasher, self.bytes_fetched)
        return False

    def _notice_restart(self) -> None:
        if self._on_restart is not None:
            self._on_restart(restart_notice(self.url, self._target.length))

    def _tell_progress(self) -> None:
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
    """A reply and its pieces, taken one at a time."""

    def __init__(self, reply: HttpReply) -> None:
        self.reply = reply
        self.chunks = reply.chunks()
