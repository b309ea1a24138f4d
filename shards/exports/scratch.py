"""Temporary folders of exports and copies, beside the versions that they become: `.scratch-<host>-<process>-<key>`.

A folder whose process is gone was left by a killed one. The next command that writes deletes it, and `store status`
names it: it may hold rows.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import socket
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from ..media.media import is_alive
from ..store.store import Store

STALE_AFTER_S = 86_400.0
"""A folder of another host is taken for left behind when it is older than this."""

_NAME = re.compile(r"\.scratch-(?:(?P<host>.+)-)?(?P<process>\d+)-[^-]+")


@contextlib.contextmanager
def scratch_folder(folder: Path, key: str) -> Iterator[Path]:
    """A temporary folder beside the versions, removed on exit; removes those of killed processes too."""
    _remove(_left_in(folder))
    scratch = folder / f".scratch-{socket.gethostname()}-{os.getpid()}-{key[:8]}"
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    try:
        yield scratch
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def leftovers(store: Store) -> list[Path]:
    """The temporary folders in `exports/` whose process is gone."""
    root = store.root / "exports"
    return [path for folder in sorted(root.glob("*")) for path in _left_in(folder)] if root.is_dir() else []


def sweep_leftovers(store: Store) -> None:
    """Remove the temporary folders in `exports/` whose process is gone."""
    _remove(leftovers(store))


def _remove(folders: Iterable[Path]) -> None:
    for path in folders:
        shutil.rmtree(path, ignore_errors=True)


def _left_in(folder: Path) -> list[Path]:
    return [path for path in sorted(folder.glob(".*")) if path.is_dir() and _is_left(path)]


def _is_left(path: Path) -> bool:
    if path.name == ".keys":
        return False
    found = _NAME.fullmatch(path.name)
    if found is not None and found["host"] == socket.gethostname():
        return not is_alive(int(found["process"]))
    with contextlib.suppress(FileNotFoundError):
        return time.time() - path.stat().st_mtime > STALE_AFTER_S
    return False
