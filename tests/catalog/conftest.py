"""Download processes of pulls in this process start at once, since most tests are not about their start."""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO

import pytest
from support.forks import Fork, fork_with_pipes
from triptych.catalog.sources.clips import process

WORKER = "from triptych.catalog.sources.clips.worker import main; main()"


@pytest.fixture(scope="session", autouse=True)
def downloads_at_once() -> Iterator[None]:
    """Forks the download processes; those of a pull that is a process itself are interpreters of their own."""
    launch = process.launch

    def fork_it(environment: dict[str, str], errors: IO[bytes]) -> Fork:
        return fork_with_pipes(WORKER, process._MODULE, env=environment, stderr=errors)

    process.launch = fork_it  # type: ignore[assignment]
    yield
    process.launch = launch
