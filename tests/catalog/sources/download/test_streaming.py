"""Files that are read while they are downloaded: what is kept, resumed and compared."""

from __future__ import annotations

import json
import random
import threading
import time
from pathlib import Path

import pytest
from support.downloads import DATA, FILE, MD5, OTHER, SHA256, folder_of, leave_prefix, read_exactly, stream
from support.loopback import Loopback
from triptych.catalog.sources.download.checksums import Expected
from triptych.catalog.sources.download.http import HttpClient, RemoteChanged, Timeouts
from triptych.catalog.sources.download.streaming import StreamingFile
from triptych.errors import DamagedError, NetworkError


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
