"""What LLaMA-Factory does with rows, as it answered itself: what its validator is held to."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from support.trainer_answers import asked, recorded
from support.trainer_rows import llamafactory, placed
from support.trainer_rows.pieces import Row
from triptych.validators.consumers import CONSUMERS
from triptych.validators.formats import FORMATS
from triptych.validators.formats.llamafactory.dataset_info import entry_of


def test_the_record_has_every_row_and_no_other() -> None:
    answers = recorded("llamafactory")
    assert {part: [name for name, _ in kind.rows] for part, kind in llamafactory.FILES.items()} == {
        part: list(rows) for part, rows in answers.items()
    }


def test_the_rows_have_every_problem_of_a_row_and_are_many(tmp_path: Path) -> None:
    found: set[str] = set()
    for part, file in llamafactory.FILES.items():
        rows = FORMATS[f"llamafactory-{STYLES[part]}"].Rows()
        rows.entry = entry_of({"formatting": "sharegpt", **file.info})
        found |= {each.code for _, row in file.rows for each in rows.check(1, placed(row, tmp_path))}
    problems = FORMATS["llamafactory-kto"].PROBLEMS
    of_files = {code for code, problem in problems.items() if problem.stage == "load"}
    assert set(problems) - of_files == found
    assert sum(len(file.rows) for file in llamafactory.FILES.values()) > 300


def test_a_number_of_tags_that_is_not_that_of_media_stops_the_preprocessing() -> None:
    answers = recorded("llamafactory")["sharegpt"]
    for kind in ("audio", "video", "image"):
        for tags in range(3):
            for items in range(3):
                outcome = answers[f"{tags} {kind} tags {items} media"]["outcome"]
                assert outcome == ("kept" if tags == items else "crashed")


ORDER = ("load", "convert", "encode")
STYLES = {"sharegpt": "sharegpt", "alpaca": "alpaca", "pairs": "ranking", "kto": "kto"}
"""Kind of file -> the style whose validator has its rules."""


def predicted(part: str, row: Row) -> str:
    """What our validator says that LLaMA-Factory does with a row."""
    file = llamafactory.FILES[part]
    rows = FORMATS[f"llamafactory-{STYLES[part]}"].Rows()
    rows.entry = entry_of({"formatting": "sharegpt", **file.info})
    lost = [found for found in (*rows.check(1, row), *rows.end()) if found.outcome != "kept"]
    return min(lost, key=lambda found: ORDER.index(found.stage)).outcome if lost else "kept"


@pytest.mark.parametrize("part", llamafactory.FILES)
def test_our_validator_says_what_llama_factory_does(part: str, tmp_path: Path) -> None:
    for name in ("a.wav", "b.wav", "v.mp4", "p.png"):
        (tmp_path / name).touch()
    file, answers = llamafactory.FILES[part], recorded("llamafactory")[part]
    here = {name: json.loads(json.dumps(row).replace("$/", f"{tmp_path}/")) for name, row in file.rows}
    found = {name: predicted(part, row) for name, row in here.items()}
    assert {name: said for name, said in found.items() if said != answers[name]["outcome"]} == DIFFERS.get(part, {})


DIFFERS = {"kto": {"tag in the answer": "crashed"}}
"""Rows of which we say something else: an answer is also set beside the question of the next row, which a row alone has
not."""


@pytest.mark.thorough
@pytest.mark.timeout(3000)
@pytest.mark.parametrize("part", llamafactory.FILES)
def test_llama_factory_still_answers_as_recorded(part: str, tmp_path: Path) -> None:
    python = CONSUMERS["llamafactory"].python()
    if python is None:
        pytest.skip("LLaMA-Factory is not installed in its own environment: `make client-llamafactory`")
    assert asked("llamafactory", part, tmp_path, python=python) == recorded("llamafactory")[part]
