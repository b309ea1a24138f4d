"""What tests of the catalog are not about takes no time: download processes and delays of retries."""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO

import pytest
from support.forks import Fork, fork_with_pipes
from triptych.catalog.sources.clips import process
from triptych.catalog.sources.download import retry

FIRST_DELAY = 0.02
WORKER = f"""
from triptych.catalog.sources.clips.worker import main
from triptych.catalog.sources.download import retry
retry.FIRST_DELAY = {FIRST_DELAY}
main()
"""


@pytest.fixture(scope="session", autouse=True)
def downloads_at_once() -> Iterator[None]:
    """Forks the download processes; those of a pull that is a process itself are interpreters of their own."""
    launch = process.launch

    def fork_it(environment: dict[str, str], errors: IO[bytes]) -> Fork:
        return fork_with_pipes(WORKER, process._MODULE, env=environment, stderr=errors)

    process.launch = fork_it  # type: ignore[assignment]
    yield
    process.launch = launch


@pytest.fixture(scope="session", autouse=True)
def short_delays() -> Iterator[None]:
    """As many attempts as ever, sooner one after the other."""
    before = retry.FIRST_DELAY
    retry.FIRST_DELAY = FIRST_DELAY
    yield
    retry.FIRST_DELAY = before
