"""What a card must say of its corpus, apart from any pull."""

from __future__ import annotations

import pytest
from support.lhotse_recipes import RECIPES
from triptych.catalog.registry import get_card

SPEECH = ("aishell1", "aishell2", "common_voice", "covost2", "fleurs", "gigaspeech", "libri_light", "librispeech",
          "ljspeech", "minds14", "peoples_speech", "timit", "voxpopuli", "wenetspeech")  # fmt: skip


@pytest.mark.parametrize("name", SPEECH)
def test_every_card_says_its_layout_and_what_was_tested(name: str) -> None:
    card = get_card(name)
    assert (card.panel, card.modality) == ("S1", "audio")
    assert [what for what in ("layout", "tested", "citation", "homepage") if not getattr(card, what)] == []
    assert set(card.splits.values()) <= {"train", "validation", "test"}


@pytest.mark.parametrize("dataset", RECIPES)
def test_the_card_names_the_recipe(dataset: str) -> None:
    assert f"lhotse, lhotse/recipes/{RECIPES[dataset]}.py" in get_card(dataset).recipes
