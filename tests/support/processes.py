"""Pulls in processes of their own, so that they can be killed, interrupted and run side by side."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

from support.forks import Fork, fork
from support.loopback import Loopback

# The program as it is, but for batches of ten rows instead of ten thousand: so kills fall between commits too.
SMALL_BATCHES = """
import triptych.converters.ingest.ingest as ingest
assert ingest.BATCH_ROWS > 10
ingest.BATCH_ROWS = 10
from triptych.cli import main
main()
"""


def arguments(host: Loopback, store: Path, name: str = "words", *more: str) -> list[str]:
    asked = ["catalog", "pull", name, "--split", "train", "--mirror", host.url(""), "--store", store, *more]
    asked += ["--cards", host.folder / "cards"]
    return list(map(str, asked))


def start(host: Loopback, store: Path, name: str = "words", *more: str) -> Fork:
    """A pull as a process group of its own."""
    return fork(SMALL_BATCHES, "triptych", *arguments(host, store, name, *more))


def kill_once(process: Fork, figure: Callable[[], float], reaches: float, *, later: float = 0.0) -> bool:
    """Kill its process group some seconds after a figure has reached a number; whether it still ran."""
    until = time.monotonic() + 60
    while figure() < reaches and process.poll() is None:
        assert time.monotonic() < until, "it never got there"
        time.sleep(0.002)
    time.sleep(later)
    if process.poll() is not None:
        return False
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    return True


def finish(process: Fork) -> None:
    said, errors = process.communicate(timeout=120)
    assert process.returncode in (0, 1), errors + said  # 1: the broken clips are rejected
