"""A validation beside others: what they remove while it measures or decides gets no measurement and no verdict."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import triptych
from support import imported
from support.stores import select
from triptych.shards.store.lock import is_held
from triptych.validators import validate as validation

GONE = "id = 'talks/train/utt001'"


@pytest.fixture(scope="module")
def pattern(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("talks")
    return imported.bring_in(folder / "store", "talks", imported.speech_rows(folder / "in", 3), folder)


@pytest.fixture
def talks(pattern: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(pattern, tmp_path / "store", symlinks=True))


def check_ids(store: Path) -> None:
    ids = select(store, "select id from samples order by id")
    assert [row["id"] for row in ids] == ["talks/train/utt000", "talks/train/utt002"]
    for table in ("checks", "verdicts"):
        assert select(store, f"select id from {table} order by id") == ids, table


def test_a_sample_removed_while_it_is_measured(talks: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = validation.map_parts

    def map_parts(*given: Any, **options: Any) -> Iterator[Any]:
        for rows in real(*given, **options):
            triptych.store.remove(where=GONE, store=talks)
            yield rows

    monkeypatch.setattr(validation, "map_parts", map_parts)
    triptych.validate(store=talks)
    check_ids(talks)


def test_a_sample_removed_while_the_rules_decide(talks: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = validation.decide_in_batches
    removing = threading.Thread(target=lambda: triptych.store.remove(where=GONE, store=talks))

    def decide(*given: Any, **options: Any) -> Any:
        must_wait = is_held(talks / ".locks" / "talks.lock")
        removing.start()
        if not must_wait:
            removing.join(20)
        return real(*given, **options)

    monkeypatch.setattr(validation, "decide_in_batches", decide)
    triptych.validate(store=talks)
    removing.join(20)
    check_ids(talks)
