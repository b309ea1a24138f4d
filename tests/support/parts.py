"""Functions over parts of a table, importable by worker processes."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

from triptych.errors import UsageError

Rows = list[dict[str, Any]]


def same(rows: Rows) -> Rows:
    return rows


def slow_at_even(rows: Rows) -> Rows:
    if rows[0]["number"] % 2 == 0:
        time.sleep(0.01)
    return [{**row, "pid": os.getpid()} for row in rows]


def fail_at_5(rows: Rows) -> Rows:
    if rows[0]["number"] == 5:
        raise UsageError("number 5 is refused")
    return rows


def kill_at_5(rows: Rows) -> Rows:
    if rows[0]["number"] == 5:
        os.kill(os.getpid(), signal.SIGKILL)
    return rows


def note_pid(rows: Rows) -> Rows:
    (Path(rows[0]["path"]) / str(os.getpid())).touch()
    return rows


def kill_at_5_and_11(rows: Rows) -> Rows:
    for row in rows:
        if row["number"] in (5, 11):
            os.kill(os.getpid(), signal.SIGSEGV)
    return rows


def kill_once(rows: Rows) -> Rows:
    """Ends its process in the part with number 5, but not when that comes again."""
    mark = Path(rows[0]["path"]) / "killed"
    if any(row["number"] == 5 for row in rows) and not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return rows


def never_starts(rows: Rows) -> Rows:
    raise AssertionError("not reached: the module to load beforehand ends the process")
