"""docs/datasets.md is what the cards say, and the cards cover what the page promises."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.places import ROOT
from support.stores import cli
from triptych.catalog.docs_page import datasets_page
from triptych.catalog.registry import all_cards
from triptych.catalog.schema.card import Card

PAGE = ROOT / "docs" / "datasets.md"
NAMED = {
    "S1": """librispeech common_voice gigaspeech voxpopuli wenetspeech wavcaps aishell1 covost2 fleurs vocalsound
             aishell2 musiccaps audiocaps clotho timit audio_reasoner minds14 libri_light peoples_speech""",
    "S2": "kinetics400 kinetics700 msrvtt vatex youcook2 longvideobench activitynet_qa",
    "S3": """voxceleb lrs2 lrs3 how2 audioset vggsound meld howto100m omnibench daily_omni worldsense msrvtt_mteb
             audiocaps_av""",
}


@pytest.fixture(autouse=True)
def _no_cards_of_the_user(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))


def packaged() -> list[Card]:
    return all_cards()


def test_the_page_is_made_from_the_cards() -> None:
    assert PAGE.read_text(encoding="utf-8") == datasets_page(packaged()), (
        "make it again: triptych catalog list --markdown > docs/datasets.md"
    )


def test_the_command_prints_the_page(tmp_path: Path) -> None:
    done = cli("catalog", "list", "--markdown", env={"XDG_CONFIG_HOME": str(tmp_path)})
    assert done.stdout == PAGE.read_text(encoding="utf-8")


@pytest.mark.parametrize("panel", NAMED)
def test_every_dataset_of_the_mission_has_a_card_in_its_panel(panel: str) -> None:
    cards = {card.name: card.panel for card in packaged()}
    assert {name: cards.get(name) for name in NAMED[panel].split()} == dict.fromkeys(NAMED[panel].split(), panel)


def test_every_card_says_its_layout_and_what_was_tested() -> None:
    cards = [card for card in packaged() if not card.name.startswith("demo-")]
    assert [card.name for card in cards if not (card.layout and card.tested)] == []
