"""A file on a loopback host, what a client of it leaves on disk, and reading it as it comes."""

from __future__ import annotations

import hashlib
import random
from pathlib import Path
from typing import Any

import pytest
from support.loopback import Loopback
from triptych.catalog.sources.download.http import HttpClient
from triptych.catalog.sources.download.resumable import ResumableFile, download
from triptych.catalog.sources.download.retry import Retry
from triptych.catalog.sources.download.streaming import StreamingFile
from triptych.errors import NetworkError

DATA = random.Random(7).randbytes(300_000)
OTHER = random.Random(8).randbytes(300_000)
SHA256 = hashlib.sha256(DATA).hexdigest()
MD5 = hashlib.md5(DATA, usedforsecurity=False).hexdigest()
FILE = "/data/a.tar.gz"
QUICK = Retry(attempts=4, connect_attempts=2, base=0.001, longest=0.01, total=5)


def folder_of(partial: Path, url: str) -> Path:
    return ResumableFile(partial, url).folder


def leave_prefix(partial: Path, server: Loopback, count: int) -> None:
    """Leave the prefix of a download that stopped after about `count` bytes."""
    server.fault(FILE, drop_after=count, times=1)
    with HttpClient(retry=Retry(attempts=1)) as impatient, pytest.raises(NetworkError):
        download(impatient, server.url(FILE), partial)
    assert (folder_of(partial, server.url(FILE)) / "data").read_bytes() == DATA[:count]
    server.clear()


def stream(client: HttpClient, server: Loopback, partial: Path, **options: Any) -> StreamingFile:
    return StreamingFile(client, server.url(FILE), partial, **options)


def read_exactly(file: StreamingFile, count: int) -> bytes:
    data = b""
    while len(data) < count:
        piece = file.read(count - len(data))
        assert piece
        data += piece
    return data
