"""Bytes from a host: retries, redirects, tokens, resumed downloads, streaming and seekable files."""

from __future__ import annotations

import hashlib
import io
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from support.loopback import PAGE, Loopback, serve
from triptych.catalog.sources.download.checksums import Expected
from triptych.catalog.sources.download.http import HttpClient, NotFound, RemoteChanged, Timeouts, _redirected
from triptych.catalog.sources.download.ranges import RangeFile, RangesIgnored
from triptych.catalog.sources.download.resumable import NoSpace, ResumableFile, download, file_name
from triptych.catalog.sources.download.retry import Retry, RetryBudget, retry_after_seconds
from triptych.catalog.sources.download.streaming import StreamingFile
from triptych.errors import DamagedError, GateError, NetworkError

DATA = random.Random(7).randbytes(300_000)
OTHER = random.Random(8).randbytes(300_000)
SHA256 = hashlib.sha256(DATA).hexdigest()
MD5 = hashlib.md5(DATA, usedforsecurity=False).hexdigest()
FILE = "/data/a.tar.gz"
QUICK = Retry(attempts=4, connect_attempts=2, base=0.001, longest=0.01, total=5)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Loopback]:
    folder = tmp_path / "host"
    (folder / "data").mkdir(parents=True)
    (folder / "data/a.tar.gz").write_bytes(DATA)
    with serve(folder) as running:
        yield running


@pytest.fixture
def client() -> Iterator[HttpClient]:
    with HttpClient(retry=QUICK) as one:
        yield one


@pytest.fixture
def partial(tmp_path: Path) -> Path:
    return tmp_path / "store/partial"


def folder_of(partial: Path, url: str) -> Path:
    return ResumableFile(partial, url).folder


def leave_prefix(partial: Path, server: Loopback, count: int) -> None:
    """Leave the prefix of a download that stopped after about `count` bytes."""
    server.fault(FILE, drop_after=count, times=1)
    with HttpClient(retry=Retry(attempts=1)) as impatient, pytest.raises(NetworkError):
        download(impatient, server.url(FILE), partial)
    assert (folder_of(partial, server.url(FILE)) / "data").read_bytes() == DATA[:count]
    server.clear()


# --- retries, redirects, gates ---------------------------------------------------------------------------------------


def test_retry_after_is_seconds_or_a_date() -> None:
    now = datetime(2026, 11, 3, 8, 0, 0, tzinfo=UTC)
    assert retry_after_seconds("120") == 120
    assert retry_after_seconds("Tue, 03 Nov 2026 08:00:30 GMT", now) == 30
    assert retry_after_seconds("Tue, 03 Nov 2026 07:00:00 GMT", now) == 0
    assert retry_after_seconds("soon") is None
    assert retry_after_seconds(None) is None


def test_backoff_doubles_within_its_cap_and_honours_retry_after() -> None:
    slept: list[float] = []
    budget = RetryBudget(Retry(attempts=6, base=1, longest=5, total=1000), sleep=slept.append, jitter=lambda: 1.0)
    budget.answered()
    for wait in (None, None, None, 3.0, 900.0):
        budget.failed("u", "500", retry_after=wait)
    assert slept == [1, 2, 4, pytest.approx(3.3), pytest.approx(5.5)]
    with pytest.raises(NetworkError, match="gave up after 6 attempts"):
        budget.failed("u", "500")


def test_the_retry_budget_ends_when_the_total_time_would_pass() -> None:
    now = [0.0]
    budget = RetryBudget(
        Retry(attempts=100, base=1, longest=8, total=20),
        sleep=lambda s: now.__setitem__(0, now[0] + s),
        clock=lambda: now[0],
    )
    budget.answered()
    with pytest.raises(NetworkError, match="gave up"):
        for _ in range(100):
            budget.failed("u", "503")
    assert now[0] <= 20


def test_bytes_that_arrive_restore_the_retry_budget() -> None:
    budget = RetryBudget(Retry(attempts=2, base=0, total=1000), sleep=lambda s: None)
    budget.answered()
    for _ in range(20):
        budget.failed("u", "dropped")
        budget.received(2 * 1024 * 1024)
    with pytest.raises(NetworkError):
        for _ in range(2):
            budget.failed("u", "dropped")
            budget.received(100)


def test_429_and_500_are_retried_and_retry_after_is_waited_for(server: Loopback) -> None:
    slept: list[float] = []
    server.fault(FILE, status=429, retry_after="1", times=2)
    server.fault(FILE, status=500, times=3)
    with HttpClient(retry=Retry(attempts=6, base=0.001), sleep=slept.append) as client:
        assert client.read(server.url(FILE)) == DATA
    assert [one.status for one in server.seen(FILE)] == [429, 429, 500, 200]
    assert 1 <= slept[0] <= 1.1 and 1 <= slept[1] <= 1.1 and slept[2] < 1


def test_a_host_that_always_fails_ends_with_a_clear_error(server: Loopback, client: HttpClient) -> None:
    server.fault(FILE, status=503)
    with pytest.raises(NetworkError, match=r"gave up after 4 attempts.*503") as caught:
        client.read(server.url(FILE))
    assert server.url(FILE) in caught.value.message and caught.value.hint and caught.value.exit_code == 3
    assert len(server.seen(FILE)) == 4


def test_a_host_that_does_not_answer_at_all_ends_sooner(client: HttpClient) -> None:
    with pytest.raises(NetworkError, match="gave up after 2 attempts"):
        client.head("http://127.0.0.1:9/a")


def test_a_stalled_host_times_out(server: Loopback) -> None:
    server.fault(FILE, delay=1.0)
    with (
        HttpClient(retry=Retry(attempts=2, base=0.001), timeouts=Timeouts(read=0.1)) as client,
        pytest.raises(NetworkError, match="ReadTimeout"),
    ):
        client.read(server.url(FILE))


@pytest.mark.parametrize("status", [401, 403])
def test_a_gate_is_a_gate_error_that_says_what_to_do(server: Loopback, client: HttpClient, status: int) -> None:
    server.fault(FILE, status=status)
    with pytest.raises(GateError, match=str(status)) as caught:
        client.head(server.url(FILE))
    assert caught.value.exit_code == 3 and "--from" in (caught.value.hint or "")


def test_a_missing_file_is_not_found_at_once(server: Loopback, client: HttpClient) -> None:
    with pytest.raises(NotFound, match="404"):
        client.read(server.url("/nothing"))
    assert len(server.seen("/nothing")) == 1


def test_other_statuses_are_not_retried(server: Loopback, client: HttpClient) -> None:
    server.fault(FILE, status=400)
    with pytest.raises(NetworkError, match="400"):
        client.read(server.url(FILE))
    assert len(server.seen(FILE)) == 1


def test_head_says_size_etag_and_ranges(server: Loopback, client: HttpClient) -> None:
    remote = client.head(server.url(FILE))
    assert (remote.url, remote.size, remote.accepts_ranges) == (server.url(FILE), len(DATA), True)
    assert remote.etag == f'"{SHA256[:16]}"' and remote.last_modified == "Tue, 03 Nov 2026 08:00:00 GMT"


@pytest.mark.parametrize("status", [403, 405, 501])
def test_head_falls_back_to_one_byte_where_the_host_refuses_it(
    server: Loopback, client: HttpClient, status: int
) -> None:
    server.fault(FILE, status=status, method="HEAD")
    assert client.head(server.url(FILE)).size == len(DATA)
    assert [one.headers["range"] for one in server.seen(FILE, "GET")] == ["bytes=0-0"]


@pytest.mark.parametrize("html_type", [True, False])
def test_a_web_page_is_never_data(server: Loopback, client: HttpClient, partial: Path, html_type: bool) -> None:
    server.fault(FILE, html=True, html_type=html_type)
    with pytest.raises(NetworkError, match="web page") as caught:
        download(client, server.url(FILE), partial)
    assert server.url(FILE) in caught.value.message
    data = folder_of(partial, server.url(FILE)) / "data"
    assert not data.exists() or data.read_bytes() == b""
    assert PAGE not in [path.read_bytes() for path in partial.rglob("*") if path.is_file()]


def test_a_token_goes_to_its_host_and_never_to_another(server: Loopback, tmp_path: Path) -> None:
    cdn = tmp_path / "cdn"
    cdn.mkdir()
    (cdn / "blob").write_bytes(DATA)
    with serve(cdn) as elsewhere, HttpClient(retry=QUICK, tokens={server.host: "secret"}) as client:
        server.fault("/gated", token="secret")
        server.fault("/gated", redirect=elsewhere.url("/blob"))
        assert client.read(server.url("/gated")) == DATA
        assert server.seen("/gated")[0].headers["authorization"] == "Bearer secret"
        assert "authorization" not in elsewhere.seen("/blob")[0].headers
        elsewhere.fault("/back", redirect=server.url(FILE))
        assert client.read(elsewhere.url("/back")) == DATA
        # Back on its own host, but unencrypted and redirected by another host: not sent either.
        assert "authorization" not in server.seen(FILE)[0].headers


def test_redirects_are_bounded(server: Loopback, client: HttpClient) -> None:
    server.fault("/loop", redirect="/loop")
    with pytest.raises(NetworkError, match="redirects"):
        client.read(server.url("/loop"))


def test_a_redirect_may_not_leave_http(server: Loopback, client: HttpClient) -> None:
    server.fault("/out", redirect="file:///etc/passwd")
    with pytest.raises(NetworkError, match="refused a redirect"):
        client.read(server.url("/out"))


def test_a_redirect_may_leave_http_for_https_but_never_https_for_http() -> None:
    assert _redirected("http://h/a", "https://h/b") == "https://h/b"
    assert _redirected("https://h/a/b", "../c") == "https://h/c"
    with pytest.raises(NetworkError, match="refused a redirect to http://h/b"):
        _redirected("https://h/a", "http://h/b")


def test_a_document_larger_than_its_limit_is_refused(server: Loopback, client: HttpClient) -> None:
    with pytest.raises(NetworkError, match="more than"):
        client.read(server.url(FILE), limit=1000)


# --- download --------------------------------------------------------------------------------------------------------


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


# --- streaming file --------------------------------------------------------------------------------------------------


def stream(client: HttpClient, server: Loopback, partial: Path, **options: Any) -> StreamingFile:
    return StreamingFile(client, server.url(FILE), partial, **options)


def read_exactly(file: StreamingFile, count: int) -> bytes:
    data = b""
    while len(data) < count:
        piece = file.read(count - len(data))
        assert piece
        data += piece
    return data


def test_leaving_early_keeps_the_prefix_and_later_reading_continues_it(
    server: Loopback, client: HttpClient, partial: Path
) -> None:
    with stream(client, server, partial) as file:
        assert read_exactly(file, 80_000) == DATA[:80_000]
        assert not file.complete and file.size == len(DATA) and file.etag == f'"{SHA256[:16]}"'
        first = file.bytes_fetched
    assert 80_000 <= first <= 80_000 + 1024 * 1024
    assert (folder_of(partial, server.url(FILE)) / "data").read_bytes() == DATA[:first]
    server.clear()
    with stream(client, server, partial, expected=Expected(sha256=SHA256, md5=MD5)) as file:
        assert read_exactly(file, 50_000) == DATA[:50_000] and file.bytes_fetched == 0
        assert file.tell() == 50_000
        assert file.read() == DATA[50_000:]
        assert file.complete and file.finished is not None and file.finished.path.read_bytes() == DATA
        assert file.bytes_fetched == len(DATA) - first
    probe, rest = server.seen(FILE)
    assert probe.headers["range"] == f"bytes={first - 1}-{first - 1}"
    assert rest.headers["range"] == f"bytes={first}-"
    with stream(client, server, partial) as file:
        assert file.complete and file.read() == DATA and file.bytes_fetched == 0
    assert len(server.seen(FILE)) == 2


def test_reading_ahead_is_modest(server: Loopback, client: HttpClient, partial: Path) -> None:
    big = random.Random(3).randbytes(24 * 1024 * 1024)
    (server.folder / "big").write_bytes(big)
    with StreamingFile(client, server.url("/big"), partial) as file:
        assert read_exactly(file, 1_000_000) == big[:1_000_000]
        assert file.bytes_fetched <= 1_000_000 + 1024 * 1024


def test_a_connection_dropped_in_the_middle_is_resumed(server: Loopback, client: HttpClient, partial: Path) -> None:
    server.fault(FILE, drop_after=90_000, times=2)
    with stream(client, server, partial, expected=Expected(len(DATA), SHA256)) as file:
        assert file.read() == DATA and file.complete
    assert [one.status for one in server.seen(FILE)] == [200, 206, 206]
    assert server.sent(FILE) == len(DATA)


def test_a_connection_that_keeps_dropping_ends(server: Loopback, client: HttpClient, partial: Path) -> None:
    server.fault(FILE, drop_after=10_000)
    with stream(client, server, partial) as file, pytest.raises(NetworkError, match="gave up"):
        file.read()
    assert DATA.startswith((folder_of(partial, server.url(FILE)) / "data").read_bytes())


def test_a_host_without_ranges_that_drops_is_read_again_and_compared(
    server: Loopback, client: HttpClient, partial: Path
) -> None:
    server.fault(FILE, drop_after=90_000, times=2)
    server.fault(FILE, ignore_ranges=True)
    told: list[str] = []
    with stream(client, server, partial, expected=Expected(sha256=SHA256), on_restart=told.append) as file:
        assert file.read() == DATA and file.complete
    assert [one.status for one in server.seen(FILE)] == [200, 200, 200] and len(told) == 2


def test_a_file_that_changes_while_it_is_read_is_an_error(server: Loopback, client: HttpClient, partial: Path) -> None:
    server.fault(FILE, drop_after=90_000, times=1)
    with stream(client, server, partial) as file:
        assert read_exactly(file, 90_000) == DATA[:90_000]
        (server.folder / "data/a.tar.gz").write_bytes(OTHER)
        with pytest.raises(RemoteChanged, match="90,000"):
            file.read()
    assert not (folder_of(partial, server.url(FILE)) / "data").exists()
    with stream(client, server, partial) as file:
        assert file.read() == OTHER


def test_a_file_that_changed_before_it_is_read_again_starts_over(
    server: Loopback, client: HttpClient, partial: Path
) -> None:
    leave_prefix(partial, server, 120_000)
    (server.folder / "data/a.tar.gz").write_bytes(OTHER)
    told: list[str] = []
    with stream(client, server, partial, on_restart=told.append) as file:
        assert file.read() == OTHER and file.complete
    assert len(told) == 1 and "starting over" in told[0]


def test_the_prefix_is_served_while_the_host_is_down(server: Loopback, client: HttpClient, partial: Path) -> None:
    leave_prefix(partial, server, 120_000)
    server.fault(FILE, status=503)
    with stream(client, server, partial) as file:
        assert read_exactly(file, 120_000) == DATA[:120_000]
        with pytest.raises(NetworkError, match="503"):
            file.read(1)


def test_a_wrong_checksum_ends_the_stream_with_damage(server: Loopback, client: HttpClient, partial: Path) -> None:
    with stream(client, server, partial, expected=Expected(sha256="0" * 64)) as file, pytest.raises(DamagedError):
        file.read()
    assert not (folder_of(partial, server.url(FILE)) / "data").exists()


def test_a_whole_prefix_is_checked_and_finished_without_the_host(
    server: Loopback, client: HttpClient, partial: Path
) -> None:
    leave_prefix(partial, server, 299_999)
    data = folder_of(partial, server.url(FILE)) / "data"
    data.write_bytes(DATA)
    with stream(client, server, partial, expected=Expected(sha256=SHA256)) as file:
        assert file.read() == DATA and file.complete
    assert server.requests == []


def test_closing_frees_a_reader_that_waits_in_another_thread(server: Loopback, partial: Path) -> None:
    server.fault(FILE, delay=0.5)
    with HttpClient(timeouts=Timeouts(read=30)) as client:
        file = stream(client, server, partial)
        errors: list[BaseException] = []

        def drain() -> None:
            try:
                file.read()
            except ValueError as error:
                errors.append(error)

        thread = threading.Thread(target=drain)
        thread.start()
        time.sleep(0.1)
        file.close()
        thread.join(timeout=5)
    assert not thread.is_alive() and len(errors) == 1
    assert DATA.startswith((folder_of(partial, server.url(FILE)) / "data").read_bytes())


def test_discard_forgets_what_was_fetched(server: Loopback, client: HttpClient, partial: Path) -> None:
    with stream(client, server, partial) as file:
        read_exactly(file, 1000)
        file.discard()
    assert not (folder_of(partial, server.url(FILE)) / "data").exists()


def test_the_state_names_the_file_the_prefix_belongs_to(server: Loopback, partial: Path) -> None:
    leave_prefix(partial, server, 5000)
    state = json.loads((folder_of(partial, server.url(FILE)) / "state.json").read_text())
    assert (state["url"], state["size"], state["etag"]) == (server.url(FILE), len(DATA), f'"{SHA256[:16]}"')
    assert state["sha256"] is None


# --- range file ------------------------------------------------------------------------------------------------------


def test_a_range_file_reads_what_a_file_reads(server: Loopback, client: HttpClient) -> None:
    remote = RangeFile(client, server.url(FILE), block=10_000, cache=50_000)
    local = io.BytesIO(DATA)
    draw = random.Random(1)
    for _ in range(200):
        offset, count = draw.randrange(len(DATA) + 10), draw.randrange(40_000)
        assert remote.seek(offset) == local.seek(offset)
        assert remote.read(count) == local.read(count)
    assert remote.seek(-7, io.SEEK_END) == len(DATA) - 7 and remote.read() == DATA[-7:]


def test_a_range_file_fetches_little_and_keeps_it(server: Loopback, client: HttpClient) -> None:
    file = RangeFile(client, server.url(FILE), block=10_000)
    file.seek(-8, io.SEEK_END)
    file.read(8)
    assert file.bytes_fetched == 10_000
    file.seek(95_000)
    assert file.read(20_000) == DATA[95_000:115_000]
    assert (file.bytes_fetched, file.requests) == (40_000, 2)
    file.seek(95_000)
    file.read(20_000)
    assert (file.bytes_fetched, file.requests) == (40_000, 2)


def test_a_range_file_survives_drops_and_refuses_a_changed_file(server: Loopback, client: HttpClient) -> None:
    file = RangeFile(client, server.url(FILE), block=10_000)
    server.fault(FILE, drop_after=15_000, times=2)
    assert file.read(50_000) == DATA[:50_000]
    (server.folder / "data/a.tar.gz").write_bytes(OTHER)
    with pytest.raises(RemoteChanged):
        file.read(50_000)


def test_a_host_that_ignores_ranges_is_explained(server: Loopback, client: HttpClient) -> None:
    server.fault(FILE, ignore_ranges=True)
    file = RangeFile(client, server.url(FILE))
    with pytest.raises(RangesIgnored, match="ignores ranges") as caught:
        file.read(10)
    assert "--from" in (caught.value.hint or "")


def test_parquet_is_read_by_row_group_over_ranges(server: Loopback, client: HttpClient) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    draw = random.Random(5)
    table = pa.table({"id": list(range(400)), "bytes": [draw.randbytes(10_000) for _ in range(400)]})
    pq.write_table(table, server.folder / "t.parquet", row_group_size=50, compression="none")
    size = (server.folder / "t.parquet").stat().st_size
    file = RangeFile(client, server.url("/t.parquet"), block=64 * 1024)
    parquet = pq.ParquetFile(file)
    assert parquet.read_row_group(3).equals(table.slice(150, 50))
    assert file.bytes_fetched < size / 4
