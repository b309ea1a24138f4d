"""The tables that this process has read: opening a Delta table reads its log, which takes longer than many a query.

A table is used again only if its log is as it was: the same files, of the same size and time. It is never written with,
since a write moves an open table on; the table of a write is kept after it. A fork has none of them.
"""

from __future__ import annotations

import os
import re
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from deltalake import DeltaTable

State = tuple[tuple[str, int, int, int], ...]
"""The files of a log: name, inode, size, time of change."""

_COMMIT = re.compile(r"(\d{20})\.json")
_MOST = 64
_TABLES: OrderedDict[Path, tuple[State, DeltaTable]] = OrderedDict()
_LOCK = Lock()


def table_at(path: Path, open_table: Callable[[], DeltaTable]) -> DeltaTable:
    """The table at `path` as it is now, opened if this process has not read that state of it."""
    state = _state(path)
    with _LOCK:
        kept = _TABLES.get(path)
        if state and kept is not None and kept[0] == state:
            _TABLES.move_to_end(path)
            return kept[1]
    table = open_table()
    _keep(path, state, table)  # a commit since then is no part of `state`, so the next reader opens the table anew
    return table


def keep_written(path: Path, table: DeltaTable) -> None:
    """Keep a table after a write with it, which nobody will write with again."""
    state = _state(path)
    commits = [int(match[1]) for name, *_ in state if (match := _COMMIT.fullmatch(name))]
    if commits and max(commits) == table.version():
        _keep(path, state, table)


def forget_tables() -> None:
    """Close all kept tables."""
    with _LOCK:
        _TABLES.clear()


def _keep(path: Path, state: State, table: DeltaTable) -> None:
    with _LOCK:
        _TABLES[path] = (state, table)
        _TABLES.move_to_end(path)
        while len(_TABLES) > _MOST:
            _TABLES.popitem(last=False)


def _state(path: Path) -> State:
    try:
        with os.scandir(path / "_delta_log") as entries:
            found = [(entry.name, entry.stat()) for entry in entries]
    except OSError:
        return ()
    return tuple(sorted((name, stat.st_ino, stat.st_size, stat.st_mtime_ns) for name, stat in found))


def _forked() -> None:
    _TABLES.clear()
    _LOCK.release()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_LOCK.acquire, after_in_parent=_LOCK.release, after_in_child=_forked)
