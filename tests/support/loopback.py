"""An HTTP server on 127.0.0.1 that serves a folder, with faults on demand.

    with serve(folder) as server:
        server.fault("/a.tar.gz", drop_after=1000, times=2)
        ... server.url("/a.tar.gz") ...
        assert server.seen("/a.tar.gz")[0].status == 200

It speaks HTTP/1.1 with ranges, `If-Range` and ETags, records every request, and stops when the block ends. A fault
holds for the next `times` requests of its path (always, where `times` is None); several faults of a path add up.
"""

from __future__ import annotations

import hashlib
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

PIECE = 16 * 1024
PAGE = b"<!DOCTYPE html>\n<html><head><title>Sign in</title></head><body>Please sign in.</body></html>\n"


@dataclass
class Fault:
    """What goes wrong with a path.

    Attributes:
        times: Requests it holds for; None is always.
        method: Only for this method.
        status: Answer this status, without a body.
        retry_after: Value of a `Retry-After` header, with `status`.
        ignore_ranges: Answer 200 and the whole file to a range.
        drop_after: Close the connection after so many bytes of the body.
        html: Send a web page; `html_type` says whether its Content-Type admits it.
        length: A wrong Content-Length; where it is too long, the connection closes early.
        etag: Another ETag; "" sends none.
        no_last_modified: Send no Last-Modified.
        content: Other bytes than the file's.
        delay: Seconds before each 16 KiB of the body.
        redirect: Answer 302 to this URL.
        token: Answer 401 unless this bearer token is sent.
    """

    times: int | None = None
    method: str | None = None
    status: int | None = None
    retry_after: str | None = None
    ignore_ranges: bool = False
    drop_after: int | None = None
    html: bool = False
    html_type: bool = True
    length: int | None = None
    etag: str | None = None
    no_last_modified: bool = False
    content: bytes | None = None
    delay: float = 0.0
    redirect: str | None = None
    token: str | None = None


@dataclass
class Seen:
    """One request as it was answered; `sent` counts bytes of the body."""

    method: str
    path: str
    headers: dict[str, str]
    status: int = 0
    sent: int = 0


@dataclass
class Loopback:
    """A running server: its folder, its faults and what it has seen."""

    folder: Path
    port: int = 0
    faults: dict[str, list[Fault]] = field(default_factory=dict)
    requests: list[Seen] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    def url(self, path: str = "/") -> str:
        return f"http://{self.host}{path}"

    def fault(self, path: str, **options: Any) -> Fault:
        fault = Fault(**options)
        self.faults.setdefault(path, []).append(fault)
        return fault

    def clear(self) -> None:
        """Forget faults and requests."""
        self.faults.clear()
        self.requests.clear()

    def seen(self, path: str, method: str | None = None) -> list[Seen]:
        return [one for one in self.requests if one.path == path and method in (None, one.method)]

    def sent(self, path: str) -> int:
        """Bytes of bodies sent for a path."""
        return sum(one.sent for one in self.seen(path))

    def due(self, path: str, method: str) -> list[Fault]:
        """The faults of this request; each use counts."""
        with self.lock:
            active = [
                fault
                for fault in self.faults.get(path, [])
                if fault.times != 0 and fault.method in (None, method) and (fault.drop_after is None or method == "GET")
            ]
            for fault in active:
                if fault.times is not None:
                    fault.times -= 1
            return active


@contextmanager
def serve(folder: Path) -> Iterator[Loopback]:
    """Serve a folder until the block ends."""
    loopback = Loopback(folder)
    handler = type("Handler", (_Handler,), {"loopback": loopback})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    server.block_on_close = False
    loopback.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield loopback
    finally:
        server.shutdown()
        server.server_close()
        thread.join(timeout=5)


class _Handler(BaseHTTPRequestHandler):
    loopback: Loopback
    protocol_version = "HTTP/1.1"
    timeout = 20
    disable_nagle_algorithm = True

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        self._answer(body=True)

    def _answer(self, *, body: bool) -> None:
        path = urlsplit(self.path).path
        headers = {name.lower(): value for name, value in self.headers.items()}
        self._record = Seen(self.command, path, headers)
        self.loopback.requests.append(self._record)
        faults = self.loopback.due(path, self.command)
        with suppress(ConnectionError):
            if not self._refuse(faults):
                self._serve(path, faults, body=body)

    def _refuse(self, faults: list[Fault]) -> bool:
        for fault in faults:
            if fault.redirect is not None:
                self._head(302, {"Location": fault.redirect, "Content-Length": "0"})
                return True
            if fault.token is not None and self.headers.get("Authorization") != f"Bearer {fault.token}":
                self._head(401, {"Content-Length": "0"})
                return True
            if fault.status is not None:
                extra = {} if fault.retry_after is None else {"Retry-After": fault.retry_after}
                self._head(fault.status, {"Content-Length": "0", **extra})
                return True
        return False

    def _serve(self, path: str, faults: list[Fault], *, body: bool) -> None:
        data = self._content(path, faults)
        if data is None:
            self._head(404, {"Content-Length": "0"})
            return
        headers = {"Accept-Ranges": "bytes", "Content-Type": "application/octet-stream"}
        headers["ETag"] = f'"{hashlib.sha256(data).hexdigest()[:16]}"'
        headers["Last-Modified"] = "Tue, 03 Nov 2026 08:00:00 GMT"
        self._apply(faults, headers)
        start, stop, status = self._range(len(data), headers, faults)
        if status == 416:
            self._head(416, {"Content-Range": f"bytes */{len(data)}", "Content-Length": "0"})
            return
        if status == 206:
            headers["Content-Range"] = f"bytes {start}-{stop - 1}/{len(data)}"
        lengths = [fault.length for fault in faults if fault.length is not None]
        headers["Content-Length"] = str(lengths[0] if lengths else stop - start)
        self._head(status, headers)
        if body:
            self._send(data[start:stop], faults, announced=int(headers["Content-Length"]))

    def _content(self, path: str, faults: list[Fault]) -> bytes | None:
        for fault in faults:
            if fault.html:
                return PAGE
            if fault.content is not None:
                return fault.content
        file = self.loopback.folder / unquote(path).lstrip("/")
        inside = file.resolve().is_relative_to(self.loopback.folder.resolve())
        return file.read_bytes() if inside and file.is_file() else None

    @staticmethod
    def _apply(faults: list[Fault], headers: dict[str, str]) -> None:
        for fault in faults:
            if fault.html and fault.html_type:
                headers["Content-Type"] = "text/html; charset=utf-8"
            if fault.etag is not None:
                headers["ETag"] = fault.etag
            if fault.no_last_modified:
                del headers["Last-Modified"]
            if fault.ignore_ranges:
                del headers["Accept-Ranges"]
        if headers["ETag"] == "":
            del headers["ETag"]

    def _range(self, size: int, headers: dict[str, str], faults: list[Fault]) -> tuple[int, int, int]:
        match = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        condition = self.headers.get("If-Range")
        ignored = any(fault.ignore_ranges for fault in faults)
        if match is None or ignored or (condition is not None and condition != headers.get("ETag")):
            return 0, size, 200
        start = int(match[1])
        stop = min(size, int(match[2]) + 1 if match[2] else size)
        return (start, stop, 206) if start < size else (0, 0, 416)

    def _head(self, status: int, headers: dict[str, str]) -> None:
        self._record.status = status
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def _send(self, data: bytes, faults: list[Fault], *, announced: int) -> None:
        drops = [fault.drop_after for fault in faults if fault.drop_after is not None]
        data = data[: min([announced, *drops])]
        delay = max((fault.delay for fault in faults), default=0.0)
        for offset in range(0, len(data), PIECE):
            if delay:
                time.sleep(delay)
            piece = data[offset : offset + PIECE]
            # Counted first: a client that has read the last byte must find it counted.
            self._record.sent += len(piece)
            self.wfile.write(piece)
        if len(data) < announced:
            self.close_connection = True
