"""Commits that other writers get in the way of, and what the table library raises.

Appends never conflict with each other. A commit that depends on what it read (a deletion, an update, a replacement, one
with a fence) fails if another writer changed that in the meantime, and so does any commit while another one adds
columns: nothing is written then, and the same work is done again on the table as it is now.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

from ...errors import DamagedError, StoreReadOnly, TriptychError

_ATTEMPTS = 20


class FenceConflict(Exception):
    """Another writer committed first: read again and retry."""


def until_committed(commit: Callable[[], None]) -> None:
    """Run a commit that depends on what it reads, and run it again whenever another writer was first.

    Raises:
        TriptychError: Others were first every time.
    """
    for _ in range(_ATTEMPTS):
        try:
            return commit()
        except FenceConflict as error:
            conflict = error
    raise TriptychError(
        f"Other writers committed first {_ATTEMPTS} times: {conflict}", hint="run the same command again"
    ) from conflict


@contextlib.contextmanager
def delta_errors(path: Path) -> Iterator[None]:
    """Turn what the table library raises over the table at `path` into our errors; a conflict can be repeated."""
    from deltalake.exceptions import CommitFailedError, DeltaError

    try:
        yield
    except CommitFailedError as error:
        raise FenceConflict(str(error)) from error
    except OSError as error:
        if _is_denied(error):
            raise StoreReadOnly(path.parent) from error
        raise
    except DeltaError as error:
        raise DamagedError(f"{path}: the commit failed: {error}") from error


def _is_denied(error: OSError) -> bool:
    text = str(error).lower()
    return isinstance(error, PermissionError) or "permission denied" in text or "read-only" in text
