"""The clips of a file of tests on a loopback host, and the folder that they are fetched into."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.loopback import Loopback, serve


@pytest.fixture
def host(clips: Path) -> Iterator[Loopback]:
    with serve(clips) as server:
        yield server


@pytest.fixture
def spool(tmp_path: Path) -> Path:
    return tmp_path / "store" / "partial" / "tmp"
