"""Archives as streams: large members, leaving early, and streams that fail."""

from __future__ import annotations

import gzip
import hashlib
import io
import itertools
import threading
import time
from pathlib import Path

import pytest
from support.archives import CORPUS, DRAW, assert_honest, opened, read, tar_of
from support.loopback import serve
from triptych.catalog.sources.archives import reader as archive_module
from triptych.catalog.sources.archives.reader import members
from triptych.catalog.sources.download.checksums import Expected
from triptych.catalog.sources.download.http import HttpClient
from triptych.catalog.sources.download.retry import Retry
from triptych.catalog.sources.download.streaming import StreamingFile
from triptych.converters.candidate import RawFile
from triptych.errors import DamagedError, NetworkError


def test_large_members_are_spooled_and_moved_not_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive_module, "IN_MEMORY_BYTES", 10_000)
    spool = tmp_path / "spool"
    taken: dict[str, Path] = {}
    for item in opened(gzip.compress(tar_of(CORPUS)), spool=spool):
        assert isinstance(item, RawFile)
        data = CORPUS[item.name]
        if len(data) > 10_000:
            assert len(list(spool.iterdir())) == len(taken) + 1
            with item.open() as file:
                assert file.read() == data
        if item.name.endswith(("1.flac", "2.flac")):
            blob = item.blob()
            if blob.path is not None:
                assert blob.temporary and blob.path.stat().st_mode & 0o044
                taken[item.name] = blob.path
    assert len(taken) >= 2 and sorted(taken.values()) == sorted(spool.iterdir())
    assert all(path.read_bytes() == CORPUS[name] for name, path in taken.items())


def test_a_truncated_large_member_is_never_yielded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive_module, "IN_MEMORY_BYTES", 1000)
    data = gzip.compress(tar_of(CORPUS))
    assert_honest(data[: len(data) // 2], ("truncated_archive",), spool=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_without_a_spool_a_large_member_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive_module, "IN_MEMORY_BYTES", 1000)
    good, (bad,) = read(tar_of({"a": b"1" * 2000, "b": b"2"}))
    assert good == [("b", b"2")] and bad.reason == "too_large"


def inflating() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("inflate")]


def test_leaving_early_reads_little_and_leaves_no_thread() -> None:
    before = inflating()
    stream = io.BytesIO(gzip.compress(tar_of({f"{n}": DRAW.randbytes(100_000) for n in range(100)}), 1))
    reading = opened(stream)
    assert isinstance(next(reading), RawFile)
    time.sleep(0.2)
    assert stream.tell() <= 100_000 + 2 * 1024 * 1024
    reading.close()
    assert inflating() == before


def test_leaving_early_inside_a_nested_archive_leaves_no_thread() -> None:
    before = inflating()
    inner = gzip.compress(tar_of({f"{n}": DRAW.randbytes(100_000) for n in range(60)}), 1)
    reading = opened(gzip.compress(tar_of({"wav/1.tar.gz": inner, "wav/2.tar.gz": inner}), 1))
    assert isinstance(next(reading), RawFile)
    assert len(inflating()) == len(before) + 2
    reading.close()
    assert inflating() == before


def test_a_streams_own_error_passes_unchanged() -> None:
    class Broken(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            if self.tell() > 300_000:
                raise NetworkError("https://h/a: gave up", hint="again")
            return super().read(size)

    for data in (tar_of(CORPUS), gzip.compress(tar_of(CORPUS))):
        names = []
        with pytest.raises(NetworkError, match="gave up"):
            for item in opened(Broken(data)):
                assert isinstance(item, RawFile)
                names += [item.name]
        assert 0 < len(names) < len(CORPUS)


def test_an_archive_on_a_host_is_read_as_far_as_needed_then_to_its_checked_end(tmp_path: Path) -> None:
    files = {f"{n:03d}.flac": DRAW.randbytes(200_000) for n in range(60)}
    data = gzip.compress(tar_of(files), 1) + bytes(100)
    (tmp_path / "host").mkdir()
    (tmp_path / "host/a.tgz").write_bytes(data)
    partial = tmp_path / "partial"
    wanted = Expected(sha256=hashlib.sha256(data).hexdigest())
    with serve(tmp_path / "host") as server, HttpClient(retry=Retry(attempts=3, base=0.001)) as client:
        url = server.url("/a.tgz")
        with StreamingFile(client, url, partial, expected=wanted) as stream:
            reading = members(stream, name="a.tgz", uri=url, revision="r")
            first = [item.read() for item in itertools.islice(reading, 10) if isinstance(item, RawFile)]
            reading.close()
            assert first == list(files.values())[:10]
            assert not stream.complete and 2_000_000 < stream.bytes_fetched < 2_000_000 + 3 * 1024 * 1024
            kept = stream.bytes_fetched
        server.fault("/a.tgz", drop_after=3_000_000, times=2)
        with StreamingFile(client, url, partial, expected=wanted) as stream:
            assert read(stream) == (list(files.items()), [])
            assert stream.complete and stream.bytes_fetched == len(data) - kept
        with StreamingFile(client, url, tmp_path / "other", expected=Expected(sha256="0" * 64)) as stream:
            reading = members(stream, name="a.tgz", uri=url, revision="r")
            with pytest.raises(DamagedError):
                list(reading)
