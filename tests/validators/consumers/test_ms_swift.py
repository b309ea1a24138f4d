"""What our validator says of a row is what MS-SWIFT does with it: kept, deleted, replaced, crashed; media and tags."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support.trainer_answers import asked, recorded
from support.trainer_rows import TASKS, Row, make_media, rows_of
from triptych.validators.consumers import CONSUMERS
from triptych.validators.formats import FORMATS
from triptych.validators.formats.findings import outcome_of
from triptych.validators.formats.msswift_rows import media_column, media_of
from triptych.validators.formats.msswift_turns import read_conversation

MSSWIFT = FORMATS["msswift"]
KINDS = ("images", "audios", "videos")

CONTENT = "the file is there and is no such medium: `triptych validate` decodes media, a format's validator does not"
TOKEN = "depends on the model: a token of a picture in a row that has none"
OLD_TAG = "<img>PATH</img>, an older form of a picture, which we read as text"
DIFFERENT = {
    "image in a tag of its own": OLD_TAG,
    "audios no sound": CONTENT,
    "audios data uri": CONTENT,
    "audios long": CONTENT,
    "audios video": CONTENT,
    "audios picture": CONTENT,
    "images wrong": CONTENT,
    "videos wrong": CONTENT,
    "token <|image_pad|>": TOKEN,
    "token in answer <|image_pad|>": TOKEN,
}
"""Rows that fare otherwise than we say, and why; docs/explanation/consumers.md lists them."""


@pytest.fixture(scope="module")
def media(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("media")
    make_media(folder)
    return folder


def predicted(row: Row, task: str) -> dict[str, Any]:
    """The outcome of a row as our validator says it, with the media and the literal tags of its chosen side."""
    found = list(MSSWIFT.Rows(task=task).check(1, row))
    outcome = outcome_of(found)
    if outcome != "kept":
        return {"outcome": outcome}
    said, (columns, _) = read_conversation(row), media_of(row)
    return {
        "outcome": outcome,
        "heard": [columns[kind].count + len(said.media[kind]) for kind in KINDS],
        "literal": any(each.code == "tag_without_media" for each in found),
    }


@pytest.mark.parametrize("task", TASKS)
def test_a_row_fares_as_the_validator_says(task: str, media: Path) -> None:
    answers, wrong = recorded("ms-swift")[task], {}
    for row in rows_of(task, media):
        answer, said = answers[row["id"]], predicted(row, task)
        did = {**answer, "literal": answer["literal"] > 0} if answer["outcome"] == "kept" else answer
        if any(did[key] != value for key, value in said.items()) and row["id"] not in DIFFERENT:
            wrong[row["id"]] = (did, said)
    assert wrong == {}


def test_the_record_has_every_row_and_no_other(media: Path) -> None:
    answers = recorded("ms-swift")
    assert {task: {row["id"] for row in rows_of(task, media)} for task in TASKS} == {
        task: set(rows) for task, rows in answers.items()
    }
    assert sum(map(len, answers.values())) >= 300
    assert set(DIFFERENT) <= set(answers["sft"])


def test_the_rejected_side_has_the_media_that_the_validator_says(media: Path) -> None:
    answers = recorded("ms-swift")["dpo"]
    for row in rows_of("dpo", media):
        if answers[row["id"]]["outcome"] == "kept":
            codes = {found.code for found in MSSWIFT.Rows(task="dpo").check(1, row)}
            own = media_column("audios", row.get("rejected_audios"))[0].count
            chosen = media_of(row)[0]["audios"].count + len(read_conversation(row).media["audios"])
            inherited = 0 if "rejected_without_media" in codes else chosen
            assert answers[row["id"]]["rejected"][1] == (own or inherited), row["id"]


OF_THE_MODEL = {
    "audios null inside": "Qwen2-Audio skips it and has a place without its sound",
    "token <|image_pad|>": "no token of Qwen2-Audio",
    "token in answer <|image_pad|>": "no token of Qwen2-Audio",
}
"""Rows without a picture that fare otherwise with Qwen2-Audio's template than with Qwen3-Omni's."""


def test_qwen2_audio_takes_a_row_as_qwen3_omni_does_unless_it_is_seen() -> None:
    of_omni, of_audio = recorded("ms-swift"), recorded("ms-swift", "qwen2-audio")
    differ, seen = set(), 0
    for task in TASKS:
        assert list(of_omni[task]) == list(of_audio[task])
        for identity, answer in of_omni[task].items():
            image, _, video = answer.get("heard", (0, 0, 0))
            if image or video:
                seen += 1
                assert of_audio[task][identity] == {"outcome": "replaced", "stage": "S2"}, identity
            elif of_audio[task][identity] != answer:
                differ.add(identity)
    assert (differ, seen) == (set(OF_THE_MODEL), 69)


@pytest.mark.thorough
@pytest.mark.timeout(3000)
@pytest.mark.parametrize("model", ["qwen3-omni", "qwen2-audio"])
@pytest.mark.parametrize("task", TASKS)
def test_ms_swift_still_answers_as_recorded(task: str, model: str, tmp_path: Path) -> None:
    python = CONSUMERS["ms-swift"].python()
    if python is None:
        pytest.skip("MS-SWIFT is not installed in its own environment: `make client-ms-swift`")
    assert asked("ms-swift", task, tmp_path, python=python, model=model) == recorded("ms-swift", model)[task]
