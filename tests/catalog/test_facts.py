"""What a card is worth: each fact with the place where it was seen, in `catalog show` and on the page of datasets."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import triptych
from support.stores import cli, cli_json
from triptych.catalog.docs_page import datasets_page
from triptych.catalog.registry import get_card
from triptych.catalog.schema.facts import places_of_facts

CARD = """name: talks
title: Talks
panel: S1
modality: audio
tasks: [asr]
languages: [en]
license: CC0-1.0
scale: {hours: 3}
splits: {train: train}
seen:
  license: the page of the talks
  splits: the page of the talks
  columns: "a recipe, recipes/talks.py"
  sources.1.columns: another recipe
recipes: {"a recipe, recipes/talks.py": "ids of ours have the split in front"}
sources:
  - {archive: https://example.org/talks.zip, reader: sidecar}
  - {manual: a disk, reader: sidecar}
"""
FACTS = {
    "license": "the page of the talks",
    "languages": None,
    "scale": None,
    "splits": "the page of the talks",
    "files": None,
    "sources.0.columns": "a recipe, recipes/talks.py",
    "sources.1.columns": "another recipe",
}


@pytest.fixture
def cards(tmp_path: Path) -> Path:
    (tmp_path / "talks.yaml").write_text(CARD)
    return tmp_path


def test_facts_without_a_place_are_unseen(cards: Path) -> None:
    assert places_of_facts(get_card("talks", extra=[cards])) == FACTS
    assert places_of_facts(get_card("demo-speech")) == {}


def test_show_prints_where_each_fact_was_seen(cards: Path, tmp_path: Path) -> None:
    arguments: tuple[Any, ...] = ("catalog", "show", "talks", "--cards", cards, "--store", tmp_path / "store")
    assert cli_json(*arguments)["facts"] == FACTS
    shown = cli(*arguments).stdout
    assert "    license    seen in the page of the talks\n    languages  unseen\n" in shown
    assert "    sources.1.columns seen in another recipe\n" in shown
    assert "  compared with a recipe, recipes/talks.py: ids of ours have the split in front\n" in shown


def test_the_page_gathers_facts_by_the_place_where_they_were_seen(cards: Path) -> None:
    page = datasets_page([get_card("talks", extra=[cards])])
    assert (
        "* Seen: license, splits in the page of the talks; sources.0.columns in a recipe, recipes/talks.py; "
        "sources.1.columns in another recipe\n* Unseen: languages, scale, files\n"
        "* Compared with a recipe, recipes/talks.py: ids of ours have the split in front\n"
    ) in page


def test_every_bundled_card_of_real_data_names_what_was_seen() -> None:
    unsaid = [each.name for each in triptych.catalog.list() if places_of_facts(each.card) and not each.card.seen]
    assert unsaid == []
