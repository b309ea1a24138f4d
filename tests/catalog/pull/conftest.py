"""Videos on a loopback host, and a store for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.loopback import Loopback, serve
from support.remotes import talk_file, video_file


@pytest.fixture(scope="session")
def media(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("media")
    talk_file(folder / "talk.mp4")
    video_file(folder / "mute.mp4", seconds=8)
    return folder


@pytest.fixture
def host(media: Path) -> Iterator[Loopback]:
    with serve(media) as server:
        yield server


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "store"
