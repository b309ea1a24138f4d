"""A seekable file over HTTP ranges, for readers that seek (Parquet: the footer, then some columns of some row groups).

Blocks are cached in memory, the least recently used are evicted first; a read fetches each gap of missing blocks with
one request. The ETag of the first reply must match all others: a file that changes while read is `RemoteChanged`.

A host that ignores ranges is an error (`RangesIgnored`), not a silent download of the whole file for every block: the
caller then downloads the file once with `download` and reads it from disk.
"""

from __future__ import annotations

import io
import threading
from collections import OrderedDict
from typing import cast

from ....errors import NetworkError
from .http import BodyDropped, HttpClient, HttpReply, RemoteChanged, same_etag

BLOCK_BYTES = 256 * 1024
CACHE_BYTES = 64 * 1024 * 1024


class RangesIgnored(NetworkError):
    """The host answers a range request with the whole file."""


class RangeFile(io.RawIOBase):
    """A readable, seekable binary file over a URL; nothing is written to disk.

    Args:
        size: Size of the whole file in bytes, if known; else the host is asked.
        etag: ETag the file must have, if known.
        block: Bytes per block, the smallest amount that is requested.
        cache: Bytes of blocks cached in memory.
    """

    def __init__(
        self,
        client: HttpClient,
        url: str,
        *,
        size: int | None = None,
        etag: str | None = None,
        block: int = BLOCK_BYTES,
        cache: int = CACHE_BYTES,
    ) -> None:
        super().__init__()
        self.url = url
        self.bytes_fetched = 0
        self.requests = 0
        self._client = client
        self._block = block
        self._kept = max(1, cache // block)
        self._blocks: OrderedDict[int, bytes] = OrderedDict()
        self._position = 0
        self._busy = threading.RLock()
        self.etag = etag
        self.size = self._request_size() if size is None else size

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        origin = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self.size}[whence]
        if origin + offset < 0:
            raise ValueError(f"{self.url}: seek to {origin + offset}, before the start.")
        self._position = origin + offset
        return self._position

    def read(self, size: int = -1) -> bytes:
        """Read `size` bytes, fewer only at the end; the whole rest for -1."""
        with self._busy:
            start = min(self._position, self.size)
            stop = self.size if size is None or size < 0 else min(self.size, start + size)
            data = self._bytes(start, stop)
            self._position = start + len(data)
            return data

    def readall(self) -> bytes:
        return self.read(-1)

    def readinto(self, buffer: object) -> int:
        view = memoryview(cast("bytearray", buffer)).cast("B")
        data = self.read(len(view))
        view[: len(data)] = data
        return len(data)

    def _request_size(self) -> int:
        remote = self._client.head(self.url)
        if remote.size is None:
            raise RangesIgnored(f"{self.url}: the host does not report the size of the file.", hint=_HINT)
        self._check_etag(remote.etag)
        return remote.size

    def _bytes(self, start: int, stop: int) -> bytes:
        if stop <= start:
            return b""
        first, last = start // self._block, (stop - 1) // self._block
        blocks = self._gather(first, last)
        skipped = start - first * self._block
        if len(blocks) == 1:
            return blocks[0][skipped : skipped + stop - start]
        return b"".join(blocks)[skipped : skipped + stop - start]

    def _gather(self, first: int, last: int) -> list[bytes]:
        """Return the blocks from first to last; missing ones are fetched gap by gap."""
        found: dict[int, bytes] = {}
        missing: list[int] = []
        for number in range(first, last + 1):
            block = self._blocks.get(number)
            if block is None:
                missing.append(number)
                continue
            self._blocks.move_to_end(number)
            found[number] = block
        for low, high in _runs(missing):
            found.update(self._fetch(low, high))
        for number in missing:
            self._blocks[number] = found[number]
        while len(self._blocks) > self._kept:
            self._blocks.popitem(last=False)
        return [found[number] for number in range(first, last + 1)]

    def _fetch(self, low: int, high: int) -> dict[int, bytes]:
        start, stop = low * self._block, min((high + 1) * self._block, self.size)
        data = memoryview(self._request(start, stop))
        return {
            number: bytes(data[(number - low) * self._block : (number - low + 1) * self._block])
            for number in range(low, high + 1)
        }

    def _request(self, start: int, stop: int) -> bytes:
        budget = self._client.budget()
        body = bytearray()
        while len(body) < stop - start:
            try:
                # A dropped body is resumed where it ended, not from the start of the range.
                here = start + len(body)
                with self._client.open(self.url, start=here, end=stop - 1, budget=budget) as reply:
                    self.requests += 1
                    self._accept(reply, here)
                    for chunk in reply.chunks():
                        body += chunk
                        self.bytes_fetched += len(chunk)
                        budget.received(len(chunk))
                if len(body) < stop - start:
                    raise BodyDropped(f"{self.url}: the range ended {stop - start - len(body):,} bytes early.")
            except BodyDropped as error:
                budget.failed(self.url, error.message)
        if len(body) > stop - start:
            raise NetworkError(f"{self.url}: the host sent more than the requested range.", hint=_HINT)
        return bytes(body)

    def _accept(self, reply: HttpReply, start: int) -> None:
        self._check_etag(reply.remote.etag)
        if reply.status == 200 and (start, reply.remote.size) != (0, self.size):
            raise RangesIgnored(f"{self.url}: the host ignores ranges and sends the whole file.", hint=_HINT)
        if reply.status == 200:
            raise RangesIgnored(f"{self.url}: the host ignores ranges.", hint=_HINT)
        if reply.start != start or reply.remote.size not in (None, self.size):
            raise self._changed()

    def _check_etag(self, etag: str | None) -> None:
        if etag is None:
            return
        if self.etag is None:
            self.etag = etag
        elif not same_etag(self.etag, etag):
            raise self._changed()

    def _changed(self) -> RemoteChanged:
        return RemoteChanged(
            f"{self.url}: the file on the host changed while it was read.", hint="Run the same command again."
        )


def _runs(numbers: list[int]) -> list[tuple[int, int]]:
    """Group consecutive numbers into pairs of first and last."""
    runs: list[tuple[int, int]] = []
    for number in numbers:
        if runs and runs[-1][1] == number - 1:
            runs[-1] = (runs[-1][0], number)
        else:
            runs.append((number, number))
    return runs


_HINT = "Download the whole file and pass it with --from PATH, or try another --source."
