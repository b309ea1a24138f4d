"""One command's work in a store: it counts as a user of the store, and damage that it meets is named."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from .damage import damage_errors
from .store import Store
from .use import in_use


@contextmanager
def using(store: Store, purpose: str) -> Iterator[Store]:
    """Use a store, so that no purge deletes files meanwhile; what libraries report of damage becomes DamagedError."""
    with damage_errors(store), in_use(store.root, purpose):
        yield store
