"""Requests to a host: retries, redirects, tokens and gates."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime
from pathlib import Path

import httpx2
import pytest
from support.downloads import DATA, FILE, QUICK, SHA256, folder_of
from support.loopback import PAGE, Loopback, serve
from triptych.catalog.sources.download.http import HttpClient, NotFound, Timeouts, _redirected
from triptych.catalog.sources.download.resumable import download
from triptych.catalog.sources.download.retry import Retry, RetryBudget, retry_after_seconds
from triptych.errors import GateError, NetworkError
from triptych.shards import certificates


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


def test_all_clients_share_one_set_of_certificates(server: Loopback, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded = []

    def load() -> ssl.SSLContext:
        loaded.append(ssl.create_default_context())
        return loaded[-1]

    certificates._loaded.cache_clear()
    monkeypatch.setattr(httpx2, "create_ssl_context", load)
    for client in (HttpClient(retry=QUICK), HttpClient(retry=QUICK)):
        assert client.head(server.url(FILE)).size == len(DATA)
    assert len(loaded) == 1
    monkeypatch.setenv("SSL_CERT_FILE", "others.pem")
    assert certificates.tls_context() is loaded[1]
    certificates._loaded.cache_clear()
