"""Files from a host: resumed where they broke off, held against sums, fetched once."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from support.downloads import DATA, FILE, MD5, OTHER, SHA256, folder_of, leave_prefix
from support.loopback import Loopback
from triptych.catalog.sources.download.checksums import Expected
from triptych.catalog.sources.download.http import HttpClient
from triptych.catalog.sources.download.resumable import NoSpace, download, file_name
from triptych.catalog.sources.download.retry import Retry
from triptych.errors import DamagedError, NetworkError


def test_a_download_is_the_file_and_a_second_fetches_nothing(
    server: Loopback, client: HttpClient, partial: Path
) -> None:
    told: list[tuple[int, int | None]] = []
    done = download(
        client,
        server.url(FILE),
        partial,
        expected=Expected(len(DATA), SHA256, MD5),
        progress=lambda here, of: told.append((here, of)),
    )
    assert done.path.read_bytes() == DATA and done.path.name == "a.tar.gz" and done.sha256 == SHA256
    assert done.fetched == len(DATA) and told[-1] == (len(DATA), len(DATA))
    assert not (done.path.parent / "data").exists()
    requests = len(server.requests)
    again = download(client, server.url(FILE), partial, expected=Expected(sha256=SHA256))
    assert (again.path, again.sha256, again.fetched, len(server.requests)) == (done.path, SHA256, 0, requests)


def test_dropped_connections_are_resumed_by_range(server: Loopback, client: HttpClient, partial: Path) -> None:
    server.fault(FILE, drop_after=70_000, times=3)
    done = download(client, server.url(FILE), partial, expected=Expected(sha256=SHA256))
    assert done.path.read_bytes() == DATA
    assert [one.status for one in server.seen(FILE)] == [200, 206, 206, 206]
    assert server.sent(FILE) == len(DATA), "no byte came twice"


def test_a_later_process_continues_the_prefix(server: Loopback, client: HttpClient, partial: Path) -> None:
    leave_prefix(partial, server, 123_456)
    done = download(client, server.url(FILE), partial, expected=Expected(sha256=SHA256, md5=MD5))
    assert done.path.read_bytes() == DATA and done.fetched == len(DATA) - 123_456
    (request,) = server.seen(FILE)
    assert request.headers["range"] == "bytes=123456-" and request.headers["if-range"] == f'"{SHA256[:16]}"'


def test_a_host_that_answers_200_to_a_range_is_never_appended(
    server: Loopback, client: HttpClient, partial: Path
) -> None:
    leave_prefix(partial, server, 123_456)
    server.fault(FILE, ignore_ranges=True)
    told: list[str] = []
    done = download(client, server.url(FILE), partial, on_restart=told.append)
    assert done.path.read_bytes() == DATA and done.fetched == len(DATA)
    assert len(told) == 1 and "123,456" in told[0]


@pytest.mark.parametrize("etag", [None, ""])
def test_a_file_that_changed_between_runs_starts_over(
    server: Loopback, client: HttpClient, partial: Path, etag: str | None
) -> None:
    if etag == "":
        server.fault(FILE, etag="")
    server.fault(FILE, drop_after=100_000, times=1)
    with HttpClient(retry=Retry(attempts=1)) as impatient, pytest.raises(NetworkError):
        download(impatient, server.url(FILE), partial)
    server.clear()
    longer = OTHER + b"more"
    (server.folder / "data/a.tar.gz").write_bytes(longer)
    if etag == "":
        server.fault(FILE, etag="")
    done = download(client, server.url(FILE), partial)
    assert done.path.read_bytes() == longer


def test_another_etag_starts_over_where_the_host_ignores_if_range(
    server: Loopback, client: HttpClient, partial: Path
) -> None:
    server.fault(FILE, etag='W/"one"', drop_after=100_000)
    with HttpClient(retry=Retry(attempts=1)) as impatient, pytest.raises(NetworkError):
        download(impatient, server.url(FILE), partial)
    server.clear()
    server.fault(FILE, etag='W/"two"', content=OTHER)
    assert download(client, server.url(FILE), partial).path.read_bytes() == OTHER
    # A weak ETag is not allowed in If-Range: the 206 was compared with the state and discarded.
    assert [(one.status, "if-range" in one.headers) for one in server.seen(FILE)] == [(206, False), (200, False)]


def test_without_etag_the_same_size_continues(server: Loopback, client: HttpClient, partial: Path) -> None:
    server.fault(FILE, etag="")
    server.fault(FILE, drop_after=100_000, times=1)
    with HttpClient(retry=Retry(attempts=1)) as impatient, pytest.raises(NetworkError):
        download(impatient, server.url(FILE), partial)
    done = download(client, server.url(FILE), partial, expected=Expected(sha256=SHA256))
    assert done.path.read_bytes() == DATA and done.fetched == len(DATA) - 100_000


def test_a_file_that_shrank_below_the_prefix_starts_over(server: Loopback, client: HttpClient, partial: Path) -> None:
    leave_prefix(partial, server, 123_456)
    (server.folder / "data/a.tar.gz").write_bytes(OTHER[:1000])
    server.fault(FILE, etag=f'"{SHA256[:16]}"')
    assert download(client, server.url(FILE), partial).path.read_bytes() == OTHER[:1000]
    assert [one.status for one in server.seen(FILE)] == [416, 200]


@pytest.mark.parametrize("wrong", [Expected(sha256="0" * 64), Expected(md5="0" * 32)])
def test_a_wrong_checksum_is_damage_and_leaves_nothing(
    server: Loopback, client: HttpClient, partial: Path, wrong: Expected
) -> None:
    with pytest.raises(DamagedError) as caught:
        download(client, server.url(FILE), partial, expected=wrong)
    found, wanted = (SHA256, wrong.sha256) if wrong.sha256 else (MD5, wrong.md5)
    assert found in caught.value.message and str(wanted) in caught.value.message and caught.value.exit_code == 4
    assert "deleted" in caught.value.message
    assert sorted(path.name for path in folder_of(partial, server.url(FILE)).iterdir()) == ["lock"]


def test_a_wrong_size_is_refused_before_the_body(server: Loopback, client: HttpClient, partial: Path) -> None:
    with pytest.raises(DamagedError, match=r"offers 300,000 bytes, expected 12"):
        download(client, server.url(FILE), partial, expected=Expected(size=12))
    assert not (folder_of(partial, server.url(FILE)) / "data").exists()


def test_a_damaged_prefix_is_found_by_the_checksum(server: Loopback, client: HttpClient, partial: Path) -> None:
    leave_prefix(partial, server, 123_456)
    data = folder_of(partial, server.url(FILE)) / "data"
    data.write_bytes(b"x" + data.read_bytes()[1:])
    with pytest.raises(DamagedError, match=SHA256):
        download(client, server.url(FILE), partial, expected=Expected(sha256=SHA256))
    assert download(client, server.url(FILE), partial, expected=Expected(sha256=SHA256)).path.read_bytes() == DATA


def test_a_content_length_too_long_is_retried_and_ends(server: Loopback, client: HttpClient, partial: Path) -> None:
    server.fault(FILE, length=len(DATA) + 5, ignore_ranges=True)
    with pytest.raises(NetworkError, match="gave up"):
        download(client, server.url(FILE), partial)


def test_a_content_length_too_short_is_found_by_the_checksum(
    server: Loopback, client: HttpClient, partial: Path
) -> None:
    server.fault(FILE, length=len(DATA) - 5, times=1)
    with pytest.raises(DamagedError):
        download(client, server.url(FILE), partial, expected=Expected(sha256=SHA256))


def test_no_space_is_reported_before_the_first_byte(
    server: Loopback, client: HttpClient, partial: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Full:
        free = 1000

    monkeypatch.setattr("shutil.disk_usage", lambda path: Full)
    with pytest.raises(NoSpace, match=r"needs 300,000 more bytes .* only 1,000 are free") as caught:
        download(client, server.url(FILE), partial)
    assert "--store" in (caught.value.hint or "")
    assert (folder_of(partial, server.url(FILE)) / "data").read_bytes() == b""


def test_a_finished_file_that_is_no_longer_the_expected_one_is_fetched_again(
    server: Loopback, client: HttpClient, partial: Path
) -> None:
    download(client, server.url(FILE), partial)
    (server.folder / "data/a.tar.gz").write_bytes(OTHER)
    wanted = Expected(sha256=hashlib.sha256(OTHER).hexdigest())
    assert download(client, server.url(FILE), partial, expected=wanted).path.read_bytes() == OTHER


def test_an_empty_file_is_a_file(server: Loopback, client: HttpClient, partial: Path) -> None:
    (server.folder / "empty").write_bytes(b"")
    assert download(client, server.url("/empty"), partial).path.read_bytes() == b""


KILLED = """
import sys
from pathlib import Path
from triptych.catalog.sources.download.http import HttpClient
from triptych.catalog.sources.download.resumable import download
from triptych.catalog.sources.download.streaming import StreamingFile
kind, url, partial = sys.argv[1], sys.argv[2], Path(sys.argv[3])
if kind == "download":
    download(HttpClient(), url, partial, progress=lambda here, of: print(here, flush=True))
else:
    with StreamingFile(HttpClient(), url, partial) as file:
        while file.read(20_000):
            print(file.tell(), flush=True)
"""


@pytest.mark.parametrize("kind", ["download", "growing"])
def test_a_killed_process_is_continued_to_identical_bytes(
    server: Loopback, client: HttpClient, partial: Path, kind: str
) -> None:
    url = server.url(FILE)
    server.fault(FILE, delay=0.03)
    with subprocess.Popen([sys.executable, "-c", KILLED, kind, url, str(partial)], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        while int(process.stdout.readline() or len(DATA)) < 100_000:
            pass
        os.kill(process.pid, signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    prefix = (folder_of(partial, url) / "data").read_bytes()
    assert 100_000 <= len(prefix) < len(DATA) and DATA.startswith(prefix)
    server.clear()
    done = download(client, url, partial, expected=Expected(sha256=SHA256))
    assert done.path.read_bytes() == DATA and done.fetched == len(DATA) - len(prefix)


def test_a_second_process_waits_with_a_notice_and_reuses_the_file(
    server: Loopback, client: HttpClient, partial: Path
) -> None:
    url = server.url(FILE)
    server.fault(FILE, delay=0.02)
    with subprocess.Popen(
        [sys.executable, "-c", KILLED, "download", url, str(partial)], stdout=subprocess.PIPE
    ) as other:
        assert other.stdout is not None and other.stdout.readline()
        told: list[str] = []
        done = download(client, url, partial, on_wait=told.append)
        other.stdout.read()
    assert other.returncode == 0
    assert done.path.read_bytes() == DATA and done.fetched == 0 and len(server.seen(FILE)) == 1
    assert len(told) == 1 and f"process {other.pid}" in told[0]


def test_file_names_from_urls_are_safe() -> None:
    assert file_name("https://h/a/b.tar.gz?x=1") == "b.tar.gz"
    assert file_name("https://h/a/..%2f..%2fetc%2fpasswd") == "passwd"
    assert file_name("https://h/") == "file-"
    assert file_name("https://h/data") == "file-data"
    assert file_name("https://h/%2e%2e") == "file-"
