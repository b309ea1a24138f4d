"""The one lock of the package, which says who holds it: on a store, a download, a mirror.

A lock is an advisory `flock` on a small file (local disks, NFSv4, Lustre). The file names user, host, process, job and
purpose, so that whoever waits can be told for whom. `locked` is for one process at a time; `shared` for several at
once, of whom the last can tell that it is the last.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import getpass
import logging
import os
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from ...errors import StoreReadOnly, TriptychError

log = logging.getLogger("triptych")

_TELL_AFTER_S = 2.0
_JOB_VARIABLES = ("SLURM_JOB_ID", "PBS_JOBID", "LSB_JOBID", "JOB_ID")


@contextlib.contextmanager
def locked(
    path: Path, *, purpose: str, timeout_s: float = 3600.0, on_wait: Callable[[str], None] | None = None
) -> Iterator[None]:
    """Hold the lock at `path`; whoever waits longer than two seconds is told who holds it.

    Args:
        path: The file of the lock; made where it is missing, and never deleted while it may be held.
        purpose: What the lock is held for, for those who wait.
        timeout_s: How long to wait; `math.inf` for as long as it takes.
        on_wait: Told at once who holds it, where it is not free; in place of the line of the log.

    Raises:
        TriptychError: Not free within `timeout_s`.
    """
    handle = _opened(path)
    try:
        _acquire(handle, path, purpose, timeout_s, on_wait)
        os.ftruncate(handle, 0)
        os.pwrite(handle, holder(purpose).encode(), 0)
        try:
            yield
        finally:
            os.ftruncate(handle, 0)
    finally:
        os.close(handle)


@contextlib.contextmanager
def shared(path: Path) -> Iterator[Callable[[], bool]]:
    """Hold the lock at `path` together with others; what it gives says whether nobody else holds it any more."""
    handle = _opened(path)
    try:
        fcntl.flock(handle, fcntl.LOCK_SH)
        yield lambda: _is_alone(handle)
    finally:
        os.close(handle)


def _is_alone(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _opened(path: Path) -> int:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    except OSError as error:
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise StoreReadOnly(path.parent) from error
        raise


def _acquire(handle: int, path: Path, purpose: str, timeout_s: float, on_wait: Callable[[str], None] | None) -> None:
    started = time.monotonic()
    told = False
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            waited = time.monotonic() - started
        if not told and on_wait is not None:
            on_wait(read_holder(path))
            told = True
        if not told and waited > _TELL_AFTER_S:
            log.warning("waiting for %s to %s: held by %s", path, purpose, read_holder(path))
            told = True
        if waited > timeout_s:
            raise TriptychError(
                f"{path} was not free within {timeout_s:.0f} s: held by {read_holder(path)}.",
                hint="end that process, or wait for it and run the same command again",
            )
        time.sleep(0.02)


def is_held(path: Path) -> bool:
    """Whether a process holds the lock at this moment; a file that a killed one left says nothing."""
    try:
        handle = os.open(path, os.O_RDONLY)
    except OSError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(handle)
    return False


def holder(purpose: str) -> str:
    """One line that says who holds a lock and why."""
    job = next((f" job {os.environ[name]}" for name in _JOB_VARIABLES if name in os.environ), "")
    return f"{user()}@{socket.gethostname()} process {os.getpid()}{job}: {purpose}"


def read_holder(path: Path) -> str:
    """What the lock file says, or that it says nothing."""
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip() or "a process that left no name"
    except OSError:
        return "a process that left no name"


def user() -> str:
    """The login name, or the number where the machine has no name for it (containers)."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())
