"""The recipes of other tools that pulls are compared with."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from support.lhotse_recipes import Recipe, recipes


@pytest.fixture(scope="session")
def lhotse() -> Iterator[Recipe]:
    """Runs lhotse's recipe of one of our datasets over a folder."""
    with recipes() as run:
        yield run
