"""A host with one file, a client that gives up soon, and the folder of partial files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.downloads import DATA, QUICK
from support.loopback import Loopback, serve
from triptych.catalog.sources.download.http import HttpClient


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
