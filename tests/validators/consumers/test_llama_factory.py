"""What LLaMA-Factory does with rows, as it answered itself: what its validator is held to."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.trainer_answers import asked, recorded
from support.trainer_rows import llamafactory
from triptych.validators.consumers import CONSUMERS


def test_the_record_has_every_row_and_no_other() -> None:
    answers = recorded("llamafactory")
    assert {part: [name for name, _ in kind.rows] for part, kind in llamafactory.FILES.items()} == {
        part: list(rows) for part, rows in answers.items()
    }


def test_a_number_of_tags_that_is_not_that_of_media_stops_the_preprocessing() -> None:
    answers = recorded("llamafactory")["sharegpt"]
    for kind in ("audio", "video", "image"):
        for tags in range(3):
            for items in range(3):
                outcome = answers[f"{tags} {kind} tags {items} media"]["outcome"]
                assert outcome == ("kept" if tags == items else "crashed")


@pytest.mark.thorough
@pytest.mark.timeout(3000)
@pytest.mark.parametrize("part", llamafactory.FILES)
def test_llama_factory_still_answers_as_recorded(part: str, tmp_path: Path) -> None:
    python = CONSUMERS["llamafactory"].python()
    if python is None:
        pytest.skip("LLaMA-Factory is not installed in its own environment: `make client-llamafactory`")
    assert asked("llamafactory", part, tmp_path, python=python) == recorded("llamafactory")[part]
