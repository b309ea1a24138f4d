"""A mirror of which pulls choose, and a store for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import triptych
from support.choices import serve_into
from support.stores import check_accounts, leftovers
from triptych.catalog.pull.pull import PullResult


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The mirror; no test writes into it."""
    return serve_into(tmp_path_factory.mktemp("served"))


@pytest.fixture
def pull(served: Path, tmp_path: Path) -> Iterator[Any]:
    """`pull(...)` into the store of the test."""

    def call(name: str = "words", *, into: str = "store", **options: Any) -> PullResult:
        if name == "words":
            options.setdefault("split", "train")
        options.setdefault("mirror", served)
        result = triptych.pull(name, store=tmp_path / into, cards=[served / "cards"], **options)
        check_accounts(tmp_path / into)
        assert leftovers(tmp_path / into) == []
        return result

    yield call


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "store"
