"""The cards of evaluation sets that ask about sound and video, each in its own files and fields."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import triptych
from support.natives import json_bytes, json_lines, on_host, on_hub, packed, parquet, summed, unpacked
from support.pulls import asked, extra, pulled, reasons
from triptych.catalog.registry import get_card
from triptych.errors import UsageError


def mmau_row(identity: str, choices: list[str], answer: str | None, data: bytes) -> dict[str, Any]:
    about = {"id": identity, "task": "sound", "category": "Reasoning", "sub-category": "Temporal Event Reasoning",
             "difficulty": "medium", "dataset": "AudioSet", "split": "test-mini"}  # fmt: skip
    return {"context": {"bytes": data, "path": "a.wav"}, "instruction": f"What is {identity}?", "choices": choices,
            "answer": answer, "other_attributes": json.dumps(about)}  # fmt: skip


def test_mmau_of_2025_has_letters_before_its_choices_and_is_no_training_data(
    tmp_path: Path, heard: list[bytes]
) -> None:
    mirror = tmp_path / "mirror"
    rows = [
        mmau_row("3fe6", ["(A) Man", "(B) Woman", "(C) Robot"], "(B) Woman", heard[0]),
        mmau_row("72fb", ["(A) Rain", "(B) Rain"], "(B) Rain", heard[1]),
    ]
    parquet(on_hub(mirror, "gamma-lab-umd/MMAU-test-mini", "test_mini.parquet"), rows)
    hidden = [
        mmau_row("9593", ["(A) Dog", "(B) Cat"], None, heard[2]),
        mmau_row("0001", ["(A) x", "(B) y"], "", heard[3]),
    ]
    parquet(on_hub(mirror, "gamma-lab-umd/MMAU-test", "data/test-00000-of-00001.parquet"), hidden)
    found = pulled("mmau", tmp_path / "store", mirror=summed(mirror))
    assert asked(found) == {
        "v05.15.25/test_mini/3fe6": ("What is 3fe6?", ["Man", "Woman", "Robot"], "Woman"),
        "v05.15.25/test_mini/72fb": ("What is 72fb?", ["Rain", "Rain"], "Rain"),
    }
    assert {tuple(row["labels"]) for row in found.values()} == {
        ("sound", "Reasoning", "Temporal Event Reasoning", "medium")
    }
    whole = triptych.export("msswift", task="sft", store=tmp_path / "store")
    assert any("come from validation or test splits" in warning for warning in whole.warnings)
    with pytest.raises(UsageError, match="matches no sample"):
        triptych.export("msswift", task="sft", split="train", store=tmp_path / "store")
    found = pulled("mmau", tmp_path / "store", mirror=str(mirror), config="v05.15.25-full")
    assert {identity: row["answer"] for identity, row in found.items() if "/test/" in identity} == {
        "v05.15.25-full/test/9593": None, "v05.15.25-full/test/0001": None,
    }  # fmt: skip


@pytest.mark.parametrize("name", ["mmau", "mmar", "mmsu", "air_bench_chat", "video_mme"])
def test_every_split_of_an_evaluation_set_is_a_test(name: str) -> None:
    splits = get_card(name).splits
    assert set(splits.values()) == {"test"} and not any("train" in split for split in splits)


MMAU_JSON = {"question": "What is heard?", "dataset": "AudioSet", "task": "music", "category": "Reasoning",
             "sub-category": "Genre", "difficulty": "easy"}  # fmt: skip


def test_mmau_of_2024_from_the_copy_and_from_its_own_files(tmp_path: Path, heard: list[bytes]) -> None:
    mirror = tmp_path / "mirror"
    choices = ["D major", "A. Bach", "3", "2"]
    row = {**MMAU_JSON, "id": "5f1e", "answer": "2", "split": "test-mini"}
    copied = {**row, "audio": {"bytes": heard[0], "path": "5f1e.wav"}, "choices": json.dumps(choices)}
    parquet(on_hub(mirror, "lmms-lab/mmau", "data/test_mini-00000-of-00001.parquet"), [copied])
    parquet(on_hub(mirror, "lmms-lab/mmau", "data/test-00000-of-00002.parquet"), [{**copied, "id": "77aa"}])
    found = pulled("mmau", tmp_path / "store", mirror=str(mirror), config="original")
    expected = ("What is heard?", choices, "2")
    assert asked(found) == {"original/test_mini/5f1e": expected, "original/test/77aa": expected}
    tree = {
        "mmau-test-mini.json": json_bytes([{**row, "audio_id": "./test-mini-audios/5f1e.wav", "choices": choices}]),
        "test-mini-audios/5f1e.wav": heard[0],
    }
    own = pulled("mmau", tmp_path / "own", from_path=unpacked(tmp_path / "tree", tree), config="original")
    assert asked(own) == {"original/test_mini/5f1e": expected}
    assert own["original/test_mini/5f1e"]["labels"] == ["music", "Reasoning", "Genre", "easy"]


MMAR = {"question": "Why?", "modality": "speech", "category": "Semantic Layer", "sub-category": "Content Analysis",
        "source": "youtube", "url": "https://www.youtube.com/watch?v=x", "timestamp": "00:00:00,00:00:06"}  # fmt: skip


def test_mmar_with_the_reasoning_of_its_authors(tmp_path: Path, heard: list[bytes]) -> None:
    mirror = tmp_path / "mirror"
    thought = {"thinking": "He laughs.", "cue": ["laughter"], "rubric": [{"name": "Cue", "choices": [0, 1]}]}
    spoken = {"qx8_00-01-32": None, "6kI_00-00-00": "en", "zh_00-00-01": "zh|en", "kr_00-00-01": "kr"}
    rows = [
        {**MMAR, **thought, "id": name, "audio_path": f"./audio/{name}.wav", "choices": ["Too little", "Too much"],
         "answer": "Too much", "language": language}
        for name, language in spoken.items()
    ]  # fmt: skip
    clips = {f"audio/{name}.wav": data for name, data in zip(spoken, heard, strict=True)}
    packed(on_hub(mirror, "BoJack/MMAR", "mmar-audio.tar.gz"), clips)
    on_host(mirror, "https://raw.githubusercontent.com/ddlBoJack/MMAR/main/MMAR-meta.jsonl").write_bytes(
        json_lines(rows)
    )
    found = pulled("mmar", tmp_path / "store", mirror=summed(mirror))
    assert {identity: (row["language"], extra(row).get("spoken")) for identity, row in found.items()} == {
        f"test/{name}": ({"kr": "ko", "en": "en"}.get(str(language)), language) for name, language in spoken.items()
    }
    assert {(row["reasoning"], row["answer"]) for row in found.values()} == {("He laughs.", "Too much")}
    assert {json.loads(extra(row)["cue"])[0] for row in found.values()} == {"laughter"}

    older = [{key: value for key, value in row.items() if key not in thought} for row in rows[:1]]
    tree = unpacked(tmp_path / "tree", {"MMAR-meta.json": json_bytes(older), **dict(list(clips.items())[:1])})
    own = pulled("mmar", tmp_path / "own", from_path=tree)
    assert {identity: row["reasoning"] for identity, row in own.items()} == {"test/qx8_00-01-32": None}


def test_mmsu_whose_answers_are_texts_even_if_they_are_numbers(tmp_path: Path, heard: list[bytes]) -> None:
    about = {"task_name": "age", "category": "Perception", "sub-category": "Paralinguistics",
             "sub-sub-category": "Speaker Traits", "linguistics_sub_discipline": "Paralinguistics"}  # fmt: skip
    rows = [
        {"id": "a_1", "question": "Who?", "choice_a": None, "choice_b": "male", "choice_c": "", "choice_d": "female",
         "answer_gt": "female", **about},
        {"id": "a_2", "question": "How many?", "choice_a": "1", "choice_b": "2", "choice_c": "3", "choice_d": "None",
         "answer_gt": "2", **about},
    ]  # fmt: skip
    mirror = tmp_path / "mirror"
    embedded = [{**row, "audio": {"bytes": heard[n], "path": "x.wav"}} for n, row in enumerate(rows)]
    parquet(on_hub(mirror, "ddwang2000/MMSU", "data/train-00000-of-00001.parquet"), embedded)
    found = pulled("mmsu", tmp_path / "store", mirror=str(mirror))
    expected = {"test/a_1": ("Who?", ["male", "female"], "female"),
                "test/a_2": ("How many?", ["1", "2", "3", "None"], "2")}  # fmt: skip
    assert asked(found) == expected
    assert found["test/a_1"]["labels"] == list(about.values())

    counted = {**rows[1], "choice_a": 1, "choice_b": 2, "choice_c": 3, "answer_gt": 2}
    tree = {
        "question/mmsu.jsonl": json_lines([
            {**row, "audio_path": f"/audio/{row['id']}.wav"} for row in (rows[0], counted)
        ]),
        "audio/a_1.wav": heard[0], "audio/a_2.wav": heard[1],
    }  # fmt: skip
    assert asked(pulled("mmsu", tmp_path / "own", from_path=unpacked(tmp_path / "tree", tree))) == expected


def test_video_mme_with_a_video_that_is_missing(tmp_path: Path, seen: list[bytes]) -> None:
    mirror = tmp_path / "mirror"
    repo = "lmms-eval/Video-MME"
    rows = [
        {"video_id": video_id, "duration": "short", "domain": "Knowledge", "sub_category": "Humanity & History",
         "url": f"https://www.youtube.com/watch?v={name}", "videoID": name, "question_id": f"{video_id}-{n}",
         "task_type": "Counting Problem", "question": f"How many? {n}",
         "options": ["A. Apples.", "B. Candles.", "C. Berries.", "D. The three kinds are of the same number."],
         "answer": letter}
        for video_id, name, n, letter in (("001", "fFjv93ACGo8", 1, "C"), ("001", "fFjv93ACGo8", 2, "A"),
                                          ("002", "-N1cdUjctpG8", 1, "D"), ("003", "gone_gone", 1, "B"))
    ]  # fmt: skip
    parquet(on_hub(mirror, repo, "videomme/test-00000-of-00001.parquet"), rows)
    packed(on_hub(mirror, repo, "videos_chunked_01.zip"), {"data/fFjv93ACGo8.mp4": seen[0]})
    packed(on_hub(mirror, repo, "videos_chunked_02.zip"), {"data/-N1cdUjctpG8.MP4": seen[1]})
    found = pulled("video_mme", tmp_path / "store", mirror=str(mirror))
    assert {identity: row["answer"] for identity, row in found.items()} == {
        "test/001-1": "Berries.", "test/001-2": "Apples.", "test/002-1": "The three kinds are of the same number.",
    }  # fmt: skip
    assert found["test/001-1"]["video"]["sha256"] == found["test/001-2"]["video"]["sha256"]
    assert found["test/001-1"]["labels"] == ["Knowledge", "Humanity & History", "Counting Problem", "short"]
    assert reasons(tmp_path / "store") == {"003-1": "no_media"}
