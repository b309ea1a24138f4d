"""Runs a function over the parts of a table: `local` processes now, other engines behind the same call later.

The function takes one list of rows and returns one list of rows; it is importable and keeps no state. Parts go out in
order and come back in order, with a few in flight, so memory stays flat.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from itertools import chain, islice
from typing import Any

Rows = list[dict[str, Any]]
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
    from joblib import Parallel, delayed

    parallel = Parallel(n_jobs=workers, return_as="generator", pre_dispatch="3*n_jobs", batch_size=1, max_nbytes=None)
    yield from parallel(delayed(function)(part) for part in chain(head, parts))


def available_cores() -> int:
    """Cores this process may use (a job's own share, not the machine's)."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
