"""A command that writes: first it finishes what killed ones left, then it counts as a user of the store."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from ...errors import DamagedError, StoreReadOnly
from ..exports.scratch import sweep_leftovers
from ..store.damage import damage_errors
from ..store.store import Store
from ..store.use import using
from .journal import has_pending

_FULL_BYTES = 128 * 1024
"""With less than this free, not even an account can be written."""


@contextmanager
def writing(store: Store, purpose: str, *, checked: bool = True, frees: bool = False) -> Iterator[Store]:
    """Write to a store: removals that were killed are finished, and leftovers of killed writers swept, before it.

    Args:
        checked: Refuse at once if the store cannot be written; for commands that always write.
        frees: The command frees space, so it is for a full disk too.

    Raises:
        StoreReadOnly: It is on a read-only mount, or not this user's to write.
        DamagedError: The disk is full.
    """
    with damage_errors(store):
        if checked:
            _check_writable(store, frees=frees)
        if has_pending(store):
            from .removal import finish_pending

            finish_pending(store)
        store.sweep_views()
        sweep_leftovers(store)
        store.media.sweep_scratch()
    with using(store, purpose):
        yield store


def _check_writable(store: Store, *, frees: bool) -> None:
    """Refuse early: the table library panics when a write fails halfway."""
    if not os.access(store.root, os.W_OK):
        raise StoreReadOnly(store.root)
    disk = os.statvfs(store.root)
    if not frees and disk.f_bavail * disk.f_frsize < _FULL_BYTES:
        raise DamagedError(
            f"{store.root}: the disk is full: {disk.f_bavail * disk.f_frsize:,} bytes are free.",
            hint="free space on that disk (triptych store gc), then run the same command again",
        )
