"""Who works in a store: many processes side by side, or one that must be alone.

    .locks/use.lock     held together by every process that reads or writes, for as long as one command takes
    .locks/alone.lock   the gate: held by a process that wants to be alone, so that no other one starts meanwhile

`purge` deletes files that a reader may be about to open and media that an import may be about to name, so it waits
until it is alone. An open DuckDB client counts as a reader: the views in `store.duckdb` list the files of the tables.
"""

from __future__ import annotations

import contextlib
import errno
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from ...errors import TriptychError
from .damage import damage_errors
from .lock import holder, locked, wait_shared
from .store import Store

PATIENCE_S = 600.0
_POLL_S = 0.05
_HELD = threading.local()


@contextlib.contextmanager
def using(store: Store, purpose: str) -> Iterator[Store]:
    """Use a store for one command, so that no purge deletes files meanwhile; what libraries report of damage becomes
    DamagedError."""
    with damage_errors(store), in_use(store.root, purpose):
        yield store


@contextlib.contextmanager
def in_use(root: Path, purpose: str) -> Iterator[None]:
    """Count as a user of the store at `root`; waits while another process has it alone.

    A thread that is a user already, or has the store alone, goes on at once.
    """
    mine = _mine()
    if str(root) in mine:
        yield
        return
    handle = _share(root, purpose)
    before = _sign(handle, holder(purpose))
    mine.add(str(root))
    try:
        yield
    finally:
        mine.discard(str(root))
        if handle is not None:
            if _read(handle) == holder(purpose):
                _sign(handle, before)  # whoever waits is told of a process that may still be at work
            os.close(handle)


@contextlib.contextmanager
def alone(root: Path, purpose: str, *, patience_s: float = PATIENCE_S) -> Iterator[None]:
    """Have the store at `root` alone: wait until its users are done, while new ones wait at the gate.

    Raises:
        TriptychError: It was still in use after `patience_s`; the message names a user.
    """
    mine = _mine()
    if str(root) in mine:
        raise TriptychError(f"{root} is in use by this thread: it cannot have the store alone to {purpose}.")
    locks = root / ".locks"
    started = time.monotonic()
    with locked(locks / "alone.lock", purpose=purpose, timeout_s=patience_s):
        remaining = max(0.0, patience_s - (time.monotonic() - started))
        with locked(locks / "use.lock", purpose=purpose, timeout_s=remaining):
            _wait_for_clients(root, purpose, max(0.0, patience_s - (time.monotonic() - started)))
            mine.add(str(root))
            try:
                yield
            finally:
                mine.discard(str(root))


def _mine() -> set[str]:
    """The stores that this thread uses or has alone."""
    if not hasattr(_HELD, "roots"):
        _HELD.roots = set()
    found: set[str] = _HELD.roots
    return found


def _share(root: Path, purpose: str) -> int | None:
    """Take the shared lock; None on a read-only store that has no lock file: nobody can purge it from here."""
    gate, use = (_open(root / ".locks" / name) for name in ("alone.lock", "use.lock"))
    try:
        if gate is None or use is None:
            return None
        # Through the gate: it is held by a process that waits to be alone, and then works alone.
        wait_shared(gate, root / ".locks" / "alone.lock", purpose=purpose)
        wait_shared(use, root / ".locks" / "use.lock", purpose=purpose)
        shared, use = use, None
        return shared
    finally:
        for handle in (gate, use):
            if handle is not None:
                os.close(handle)


def _sign(handle: int | None, text: str) -> str:
    """Write who uses the store into the lock file; return what stood there."""
    if handle is None:
        return ""
    before = _read(handle)
    with contextlib.suppress(OSError):  # opened for reading only
        os.pwrite(handle, text.encode(), 0)
        os.ftruncate(handle, len(text.encode()))
    return before


def _read(handle: int) -> str:
    return os.pread(handle, 4096, 0).decode(errors="replace")


def _open(path: Path) -> int | None:
    try:
        path.parent.mkdir(exist_ok=True)
        return os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    except FileNotFoundError:
        return None
    except OSError as error:
        if error.errno not in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise
    with contextlib.suppress(OSError):
        return os.open(path, os.O_RDONLY)
    return None


def _wait_for_clients(root: Path, purpose: str, patience_s: float) -> None:
    started = time.monotonic()
    while clients := duckdb_clients(root):
        if time.monotonic() - started > min(patience_s, 30.0):
            raise TriptychError(
                f"{root / 'store.duckdb'} is open in process {', '.join(map(str, clients))}: waiting to {purpose}.",
                hint="close that DuckDB client, then run the same command again",
            )
        time.sleep(_POLL_S)


def duckdb_clients(root: Path) -> list[int]:
    """The other processes of this machine that have `store.duckdb` open, also one that was replaced since (Linux)."""
    target = str(root.resolve() / "store.duckdb")
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        if int(process.name) == os.getpid():
            continue
        with contextlib.suppress(OSError):
            for link in (process / "fd").iterdir():
                if str(link.readlink()).removesuffix(" (deleted)") == target:
                    found.append(int(process.name))
                    break
    return found
