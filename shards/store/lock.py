"""The only lock of the package, for a store, a download or a mirror; it records who holds it.

A lock is an advisory `flock` on a small file (works on local disks, NFSv4, Lustre). The file names user, host, process,
job and purpose, so that a waiting process can report them. `locked` admits one process at a time; `shared` admits
several at once, and the last one left can tell that it is the last.
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
    """Hold the lock at `path`; after two seconds of waiting, log who holds it.

    Args:
        path: The lock file; created if it is missing, and never deleted while it may be held.
        purpose: What the lock is held for; shown to processes that wait.
        timeout_s: How long to wait; `math.inf` for no limit.
        on_wait: Called at once with the holder if the lock is not free, instead of logging.

    Raises:
        TriptychError: The lock was not free within `timeout_s`.
    """
    handle = _open(path)
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
    """Hold the lock at `path` together with others; yield a function that tells whether nobody else holds it."""
    handle = _open(path)
    try:
        fcntl.flock(handle, fcntl.LOCK_SH)
        yield lambda: claim(handle)
    finally:
        os.close(handle)


def wait_shared(handle: int, path: Path, *, purpose: str) -> None:
    """Take the open lock file together with others; say who holds it if it must be waited for."""
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        log.warning("waiting for %s to %s: held by %s", path, purpose, read_holder(path))
        fcntl.flock(handle, fcntl.LOCK_SH)


def claim(handle: int) -> bool:
    """Take an open file for its holder alone, without waiting; False if another has it."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _open(path: Path) -> int:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    except OSError as error:
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise StoreReadOnly(path.parent) from error
        raise


def _acquire(handle: int, path: Path, purpose: str, timeout_s: float, on_wait: Callable[[str], None] | None) -> None:
    started = time.monotonic()
    reported = False
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            waited = time.monotonic() - started
        if not reported and on_wait is not None:
            on_wait(read_holder(path))
            reported = True
        if not reported and waited > _TELL_AFTER_S:
            log.warning("waiting for %s to %s: held by %s", path, purpose, read_holder(path))
            reported = True
        if waited > timeout_s:
            raise TriptychError(
                f"{path} was still locked after {timeout_s:.0f} s: held by {read_holder(path)}.",
                hint="end that process, or wait for it and run the same command again",
            )
        time.sleep(0.02)


def is_held(path: Path) -> bool:
    """Whether a process holds the lock right now; a lock file left by a killed process does not count."""
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
    """Describe in one line who holds a lock and why."""
    job = next((f" job {os.environ[name]}" for name in _JOB_VARIABLES if name in os.environ), "")
    return f"{user()}@{socket.gethostname()} process {os.getpid()}{job}: {purpose}"


def read_holder(path: Path) -> str:
    """Return the holder named in the lock file, or a placeholder if it names none."""
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip() or "an unnamed process"
    except OSError:
        return "an unnamed process"


def user() -> str:
    """Return the login name, or the numeric user id if it has no name (containers)."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())
