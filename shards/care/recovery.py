"""A command that writes: first it finishes what killed ones left, then it counts as a user of the store."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ..store.damage import damage_errors
from ..store.session import using
from ..store.store import Store
from .journal import has_pending


@contextmanager
def writing(store: Store, purpose: str) -> Iterator[Store]:
    """Write to a store: removals that were killed are finished, and leftovers of killed writers swept, before it."""
    with damage_errors(store):
        if has_pending(store):
            from .removal import finish_pending

            finish_pending(store)
        store.sweep_views()
    with using(store, purpose):
        yield store
