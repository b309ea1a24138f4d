"""A folder served on loopback, counting every request and the bytes sent for it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any


@dataclass(slots=True)
class Log:
    """The requests so far.

    Attributes:
        url: The server's base URL.
        lines: `METHOD path`, one per request.
        bytes: Total bytes of all bodies sent.
    """

    url: str = ""
    lines: list[str] = field(default_factory=list)
    bytes: int = 0

    def clear(self) -> None:
        self.lines.clear()
        self.bytes = 0


class _Counting(SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def __init__(self, log: Log, *arguments: Any, **options: Any) -> None:
        self.log = log
        super().__init__(*arguments, **options)

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def parse_request(self) -> bool:
        understood = super().parse_request()
        if understood:
            self.log.lines.append(f"{self.command} {self.path}")
        return understood

    def copyfile(self, source: Any, outputfile: Any) -> None:
        while piece := source.read(1 << 20):
            self.log.bytes += len(piece)
            outputfile.write(piece)


@contextmanager
def serve(folder: Path) -> Iterator[Log]:
    """Serve a folder until the block ends."""
    log = Log()
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Counting, log, directory=str(folder)))
    server.daemon_threads = True
    log.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield log
    finally:
        server.shutdown()
        server.server_close()
        thread.join(timeout=5)
