"""Runs a function over the parts of a table: `local` processes now, other engines behind the same call later.

The function takes one list of rows and returns one list of rows; it is importable and keeps no state. Parts go out in
order and come back in order, with a few in flight, so memory stays flat.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from itertools import chain, islice
from typing import Any

Rows = list[dict[str, Any]]
PARTS_IN_FLIGHT = 3
"""For each worker: one at work, the others waiting, so that none idles."""

INLINE_PARTS = 2
"""Up to this many parts are worked off in this process: starting workers would take longer."""


def map_parts(function: Callable[[Rows], Rows], parts: Iterable[Rows], *, workers: int | None = None) -> Iterator[Rows]:
    """Apply `function` to every part; results come in the order of the parts.

    Args:
        workers: Processes; the number of cores by default, 1 for this process alone.
    """
    workers = workers or available_cores()
    parts = iter(parts)
    head = list(islice(parts, INLINE_PARTS + 1))
    if workers == 1 or len(head) <= INLINE_PARTS:
        yield from map(function, chain(head, parts))
        return
    # loky's processes need no guarded main module and are used again by the next call.
    from loky import get_reusable_executor

    executor = get_reusable_executor(max_workers=workers, timeout=30)
    running: deque[Future[Rows]] = deque()
    try:
        for part in chain(head, parts):
            running.append(executor.submit(function, part))
            if len(running) >= PARTS_IN_FLIGHT * workers:
                yield running.popleft().result()
        while running:
            yield running.popleft().result()
    finally:
        for future in running:
            future.cancel()


def available_cores() -> int:
    """Cores this process may use (a job's own share, not the machine's)."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
