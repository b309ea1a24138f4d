"""Runs a function over the parts of a table: `local` processes now, other engines behind the same call later.

The function takes one list of rows and returns one list of rows; it is importable and keeps no state. Parts go to
whichever process is free and come back in order, with a few in flight, so memory stays flat.

A process is a fresh Python that imports the function and what it needs, nothing else: it needs no guarded main module,
carries no thread or lock of this process over, and is at work before this process has opened its tables.
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
"""For each worker: one at work, one waiting so that it does not idle, one that is done and waits for its turn."""

INLINE_PARTS = 2
"""Up to this many parts are worked off in this process: starting workers would take longer."""

_AT_A_WORKER = 2
_ENTRY = "from triptych.shards.engine.worker import main; main()"


def map_parts(
    function: Callable[[Rows], Rows],
    parts: Iterable[Rows],
    *,
    workers: int | None = None,
    are_many: bool = False,
    preload: Sequence[str] = (),
) -> Iterator[Rows]:
    """Apply `function` to every part; results come in the order of the parts.

    Args:
        workers: Processes; the number of cores by default, 1 for this process alone.
        are_many: Whoever calls knows that there are many parts: workers start before the first one is asked for.
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
            yield from pool.work_off(iter(parts))
        return
    parts = iter(parts)
    head = list(islice(parts, INLINE_PARTS + 1))
    if len(head) <= INLINE_PARTS:
        yield from map(function, head)
        return
    with _Pool(function, workers, preload) as pool:
        yield from pool.work_off(chain(head, parts))


class _Pool:
    """Worker processes, and which parts they have."""

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
            # -P: no module of the user's working directory stands in for one of Python's.
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

    def work_off(self, parts: Iterator[Rows]) -> Iterator[Rows]:
        """Hand out parts and give the results in their order."""
        done: dict[int, Rows] = {}
        given = told = 0
        more = True
        while True:
            while more and given - told < PARTS_IN_FLIGHT * len(self._busy) and (free := self._free()) is not None:
                part = next(parts, None)
                if part is None:
                    more = False
                    break
                self._send(free, (given, part))
                given += 1
            if told == given:
                return
            for connection in wait([each for each, count in self._busy.items() if count]):
                number, result = self._receive(connection)  # type: ignore[arg-type]
                done[number] = result
            while told in done:
                yield done.pop(told)
                told += 1

    def _free(self) -> Connection | None:
        """The worker with the least to do, or None where all have enough."""
        connection = min(self._busy, key=self._busy.__getitem__)
        return connection if self._busy[connection] < _AT_A_WORKER else None

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
            f"A worker process {how} (signal 9 often means: no memory left).",
            hint="run the same command again with --workers 1",
        )


def available_cores() -> int:
    """Cores this process may use (a job's own share, not the machine's)."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
