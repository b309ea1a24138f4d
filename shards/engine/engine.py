"""Apply a function to the parts of a table in local processes; other engines can be added behind the same call.

The function takes one list of rows and returns one list of rows; it must be importable and stateless. Each part goes to
whichever process is free, results come back in order, and only a few parts are in flight, so memory use stays flat.

A worker is a fresh Python process that imports only the function and its modules: it needs no guarded main module,
inherits no thread or lock, and is ready before this process has opened its tables.
"""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, islice
from multiprocessing.connection import Connection, Pipe, wait
from typing import Any

from ...errors import TriptychError

Rows = list[dict[str, Any]]
PARTS_IN_FLIGHT = 3
"""Per worker: one being processed, one queued so that it does not idle, one finished and waiting for its turn."""

INLINE_PARTS = 2
"""Up to this many parts are processed in this process: starting workers would take longer."""

_PARTS_PER_WORKER = 2
_ENTRY = "from triptych.shards.engine.worker import main; main()"


def map_parts(
    function: Callable[[Rows], Rows],
    parts: Iterable[Rows],
    *,
    workers: int | None = None,
    are_many: bool = False,
    preload: Sequence[str] = (),
) -> Iterator[Rows]:
    """Apply `function` to every part; results are in the order of the parts.

    Args:
        workers: Number of processes; default: the number of cores. 1 uses this process alone.
        are_many: The caller knows that there are many parts: workers start before the first one is requested.
        preload: Modules that a worker imports while it waits for its first part.

    Raises:
        TriptychError: A worker process was killed.
    """
    workers = workers or available_cores()
    if workers == 1:
        yield from map(function, parts)
        return
    if are_many:
        with _Pool(function, workers, preload) as pool:
            yield from pool.process(iter(parts))
        return
    parts = iter(parts)
    head = list(islice(parts, INLINE_PARTS + 1))
    if len(head) <= INLINE_PARTS:
        yield from map(function, head)
        return
    with _Pool(function, workers, preload) as pool:
        yield from pool.process(chain(head, parts))


class _Pool:
    """Worker processes and how many parts each of them has."""

    def __init__(self, function: Callable[[Rows], Rows], workers: int, preload: Sequence[str]) -> None:
        self._busy: dict[Connection, int] = {}
        self._processes: dict[Connection, subprocess.Popen[bytes]] = {}
        first = (sys.path, pickle.dumps(function), tuple(preload))
        try:
            for _ in range(workers):
                self._start(first)
        except BaseException:
            self.__exit__()
            raise

    def _start(self, first: tuple[list[str], bytes, tuple[str, ...]]) -> None:
        ours, theirs = Pipe()
        with theirs:
            # -P: modules in the user's working directory must not shadow Python's own.
            command = [sys.executable, "-P", "-c", _ENTRY, str(theirs.fileno())]
            process = subprocess.Popen(command, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL)
        self._busy[ours], self._processes[ours] = 0, process
        ours.send(first)

    def __enter__(self) -> _Pool:
        return self

    def __exit__(self, *_: object) -> None:
        for connection, process in self._processes.items():
            connection.close()
            process.kill()
            process.wait()

    def process(self, parts: Iterator[Rows]) -> Iterator[Rows]:
        """Hand out parts and yield the results in order."""
        done: dict[int, Rows] = {}
        sent = yielded = 0
        more = True
        while True:
            while more and sent - yielded < PARTS_IN_FLIGHT * len(self._busy) and (free := self._free()) is not None:
                part = next(parts, None)
                if part is None:
                    more = False
                    break
                self._send(free, (sent, part))
                sent += 1
            if yielded == sent:
                return
            for connection in wait([each for each, count in self._busy.items() if count]):
                number, result = self._receive(connection)  # type: ignore[arg-type]
                done[number] = result
            while yielded in done:
                yield done.pop(yielded)
                yielded += 1

    def _free(self) -> Connection | None:
        """Return the worker with the fewest parts, or None if all have enough."""
        connection = min(self._busy, key=self._busy.__getitem__)
        return connection if self._busy[connection] < _PARTS_PER_WORKER else None

    def _send(self, connection: Connection, message: tuple[int, Rows]) -> None:
        try:
            connection.send(message)
        except OSError as error:
            raise self._killed(connection) from error
        self._busy[connection] += 1

    def _receive(self, connection: Connection) -> tuple[int, Rows]:
        try:
            number, result, error = connection.recv()
        except (EOFError, OSError) as lost:
            raise self._killed(connection) from lost
        self._busy[connection] -= 1
        if error is not None:
            raise error
        return number, result

    def _killed(self, connection: Connection) -> TriptychError:
        status = self._processes[connection].wait()
        how = f"was killed by signal {-status}" if status < 0 else f"ended with status {status}"
        return TriptychError(
            f"A worker process {how} (signal 9 often means that memory ran out).",
            hint="run the same command again with --workers 1",
        )


def available_cores() -> int:
    """Return the number of cores this process may use (the share of its job, not the whole machine)."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
