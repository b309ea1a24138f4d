"""A dataset of a store was pulled by its card or imported: the rows of the two never mix."""

from __future__ import annotations

from pathlib import Path

import pytest
import triptych
from support import imported
from support.cards import SOUNDS, put_card
from support.corpora import archive, noise
from support.stores import one
from triptych.errors import UsageError


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A card of one's own in `cards`, and a mirror with its only sound."""
    folder = tmp_path_factory.mktemp("own")
    put_card(folder / "cards", "sounds", SOUNDS)
    files = [("train/s.json", b'{"labels": ["Dog"]}'), ("train/s.wav", noise(1))]
    archive(folder / "example.org/sounds/train.tar", files)
    return folder


def pull(folder: Path, store: Path) -> None:
    triptych.pull("sounds", store=store, cards=[folder / "cards"], mirror=folder)


def count(store: Path) -> int:
    return int(one(store, "select count(*) from samples"))


def test_a_card_is_not_pulled_into_imported_rows(folder: Path, tmp_path: Path) -> None:
    store = imported.bring_in(tmp_path / "store", "sounds", imported.speech_rows(tmp_path / "in", 1), tmp_path)
    with pytest.raises(UsageError, match=r"holds imported rows \(`import jsonl`\)") as caught:
        pull(folder, store)
    assert count(store) == 1 and "--store" in str(caught.value.hint)
    triptych.store.remove("sounds", store=store, forget=True)
    pull(folder, store)
    assert count(store) == 1


def test_nothing_is_imported_into_a_pulled_dataset(folder: Path, tmp_path: Path) -> None:
    store = tmp_path / "store"
    pull(folder, store)
    with pytest.raises(UsageError, match="was pulled by its card") as caught:
        imported.bring_in(store, "sounds", imported.speech_rows(tmp_path / "in", 1), tmp_path)
    assert count(store) == 1 and "--name" in str(caught.value.hint)
