"""Pulls in processes of their own, so that they can be killed, interrupted and run side by side."""

from __future__ import annotations

import subprocess
from pathlib import Path

from support.loopback import Loopback
from support.stores import command

# The program as it is, but for batches of ten rows instead of ten thousand: so kills fall between commits too.
SMALL_BATCHES = """
import sys
import triptych.converters.ingest.ingest as ingest
assert ingest.BATCH_ROWS > 10
ingest.BATCH_ROWS = 10
from triptych.cli import main
sys.argv[0] = "triptych"
main()
"""


def arguments(host: Loopback, store: Path, name: str = "words", *more: str) -> list[str]:
    asked = ["catalog", "pull", name, "--split", "train", "--mirror", host.url(""), "--store", store, *more]
    asked += ["--cards", host.folder / "cards"]
    [python, flag, _, *rest] = command(*asked)
    return [python, flag, SMALL_BATCHES, *rest]


def start(host: Loopback, store: Path, name: str = "words", *more: str) -> subprocess.Popen[str]:
    """A pull as a process group of its own."""
    return subprocess.Popen(
        arguments(host, store, name, *more), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        start_new_session=True,
    )  # fmt: skip


def finish(process: subprocess.Popen[str]) -> None:
    said, errors = process.communicate(timeout=120)
    assert process.returncode in (0, 1), errors + said  # 1: the broken clips are rejected
