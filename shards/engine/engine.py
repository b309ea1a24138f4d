"""Apply a function to the parts of a table in local processes; other engines can be added behind the same call.

The function takes one list of rows and returns one list of rows; it must be importable and stateless. Each part goes to
whichever process is free, results come back in order, and only a few parts are in flight, so memory use stays flat.

A worker is a fresh Python process that imports only the function and its modules: it needs no guarded main module,
inherits no thread or lock, and is ready before this process has opened its tables.

A row that ends its process (a decoder's segmentation fault, memory that ran out) costs that row alone: the rows of its
part are processed again one by one in a process of their own, and what `lost` makes of it takes its place.
"""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, islice
from multiprocessing.connection import Connection, Pipe, wait
from typing import Any

from ...errors import TriptychError

Row = dict[str, Any]
Rows = list[Row]
Lost = Callable[[Row, str], Row | None]
"""Makes the result of a row that ends its process, given how; None if the row cannot be to blame."""

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
    lost: Lost | None = None,
) -> Iterator[Rows]:
    """Apply `function` to every part; results are in the order of the parts.

    Args:
        workers: Number of processes; default: the number of cores. 1 uses this process alone.
        are_many: The caller knows that there are many parts: workers start before the first one is requested.
        preload: Modules that a worker imports while it waits for its first part.
        lost: Makes the result of a row whose processing ends its process.

    Raises:
        TriptychError: A worker process was killed, and there is no `lost`.
    """
    workers = workers or available_cores()
    if workers == 1:
        yield from map(function, parts)
        return
    if are_many:
        with _Pool(function, workers, preload, lost) as pool:
            yield from pool.process(iter(parts))
        return
    parts = iter(parts)
    head = list(islice(parts, INLINE_PARTS + 1))
    if len(head) <= INLINE_PARTS:
        yield from map(function, head)
        return
    with _Pool(function, workers, preload, lost) as pool:
        yield from pool.process(chain(head, parts))


class _Pool:
    """Worker processes and the parts that each of them has not answered yet, in the order in which it takes them."""

    def __init__(
        self, function: Callable[[Rows], Rows], workers: int, preload: Sequence[str], lost: Lost | None
    ) -> None:
        self._open: dict[Connection, deque[tuple[int, Rows]]] = {}
        self._processes: dict[Connection, subprocess.Popen[bytes]] = {}
        self._first = (sys.path, pickle.dumps(function), tuple(preload))
        self._lost = lost
        self._again: deque[tuple[int, Rows]] = deque()
        self._done: dict[int, Rows] = {}
        try:
            for _ in range(workers):
                self._open[self._start()] = deque()
        except BaseException:
            self.__exit__()
            raise

    def _start(self) -> Connection:
        ours, theirs = Pipe()
        with theirs:
            # -P: modules in the user's working directory must not shadow Python's own.
            command = [sys.executable, "-P", "-c", _ENTRY, str(theirs.fileno())]
            process = subprocess.Popen(command, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL)
        self._processes[ours] = process
        ours.send(self._first)
        return ours

    def __enter__(self) -> _Pool:
        return self

    def __exit__(self, *_: object) -> None:
        for connection in list(self._processes):
            self._end(connection)

    def _end(self, connection: Connection) -> None:
        process = self._processes.pop(connection)
        connection.close()
        process.kill()
        process.wait()

    def process(self, parts: Iterator[Rows]) -> Iterator[Rows]:
        """Hand out parts and yield the results in order."""
        sent = yielded = 0
        more = True
        while True:
            while (free := self._free()) is not None:
                if self._again:
                    self._send(free, self._again.popleft())
                    continue
                if not more or sent - yielded >= PARTS_IN_FLIGHT * len(self._open):
                    break
                part = next(parts, None)
                if part is None:
                    more = False
                    break
                self._send(free, (sent, part))
                sent += 1
            if yielded == sent:
                return
            for connection in wait([each for each, parts_open in self._open.items() if parts_open]):
                self._receive(connection)  # type: ignore[arg-type]
            while yielded in self._done:
                yield self._done.pop(yielded)
                yielded += 1

    def _free(self) -> Connection | None:
        """Return the worker with the fewest parts, or None if all have enough."""
        connection = min(self._open, key=lambda each: len(self._open[each]))
        return connection if len(self._open[connection]) < _PARTS_PER_WORKER else None

    def _send(self, connection: Connection, message: tuple[int, Rows]) -> None:
        self._open[connection].append(message)
        try:
            connection.send(message)
        except OSError:
            self._replace(connection)

    def _receive(self, connection: Connection) -> None:
        try:
            number, result, error = connection.recv()
        except (EOFError, OSError):
            self._replace(connection)
            return
        self._open[connection].popleft()
        if error is not None:
            raise error
        self._done[number] = result

    # ---- workers that die

    def _replace(self, connection: Connection) -> None:
        """Start another worker for one that died; of its parts, it was processing the first."""
        how = self._how_it_ended(connection)
        (number, part), *others = self._open.pop(connection)
        if self._lost is None:
            raise _killed(how)
        self._end(connection)
        self._open[self._start()] = deque()
        self._again.extend(others)
        self._done[number] = self._one_by_one(part, self._lost)

    def _one_by_one(self, part: Rows, lost: Lost) -> Rows:
        """Process each row alone; what ends its process again is lost."""
        results: Rows = []
        connection: Connection | None = None
        for row in part:
            connection = connection or self._start_alone()
            try:
                connection.send((0, [row]))
                _, result, error = connection.recv()
            except (EOFError, OSError):
                how = self._how_it_ended(connection)
                self._end(connection)
                connection = None
                replacement = lost(row, how)
                if replacement is None:
                    raise _killed(how) from None
                results.append(replacement)
                continue
            if error is not None:
                raise error
            results += result
        if connection is not None:
            self._end(connection)
        return results

    def _start_alone(self) -> Connection:
        """Start a worker and see it answer, so that a row is not blamed for a worker that cannot start."""
        connection = self._start()
        try:
            connection.send((0, None))
            connection.recv()
        except (EOFError, OSError):
            raise _killed(self._how_it_ended(connection)) from None
        return connection

    def _how_it_ended(self, connection: Connection) -> str:
        status = self._processes[connection].wait()
        return f"was killed by signal {-status}" if status < 0 else f"ended with status {status}"


def _killed(how: str) -> TriptychError:
    return TriptychError(
        f"A worker process {how} (signal 9 often means that memory ran out).",
        hint="run the same command again with --workers 1",
    )


def available_cores() -> int:
    """Return the number of cores this process may use (the share of its job, not the whole machine)."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
