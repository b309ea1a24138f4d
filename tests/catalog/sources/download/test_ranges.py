"""Files on a host that are read in places, a range at a time."""

from __future__ import annotations

import io
import random

import pytest
from support.downloads import DATA, FILE, OTHER
from support.loopback import Loopback
from triptych.catalog.sources.download.http import HttpClient, RemoteChanged
from triptych.catalog.sources.download.ranges import RangeFile, RangesIgnored


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
