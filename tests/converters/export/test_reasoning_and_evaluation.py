"""Versions of the views `cot` and `evaluation`: their media, their account, and the warning of training data."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import triptych
from support.imported import bring_in, noise, read_lines, sound
from support.stores import check_accounts, cli, cli_json

CHAIN = "<PLANNING>p</PLANNING><CAPTION>c</CAPTION><REASONING>r</REASONING><SUMMARY>s</SUMMARY>"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("asked")
    audio = str(sound(folder / "a.flac", noise(0.1)))
    rows = [
        {"id": "plain", "audio": audio, "question": "Who?", "answer": "Ann", "reasoning": "So.", "split": "train"},
        {"id": "whole", "audio": audio, "question": "What?", "answer": "b", "choices": ["a", "b"], "reasoning": CHAIN,
         "split": "test"},
        {"id": "wrong", "audio": audio, "question": "What?", "answer": "c", "choices": ["a", "b"], "reasoning": CHAIN,
         "split": "test"},
        {"id": "bare", "audio": audio, "question": "When?", "answer": "Now", "split": "test"},
    ]  # fmt: skip
    return bring_in(folder / "store", "asked", [row | {"task": "qa", "language": "en"} for row in rows], folder)


def test_chains_are_published_and_a_response_that_is_no_choice_is_refused(store: Path) -> None:
    result = triptych.export("cot", store=store)
    assert result.version.manifest["counts"] == {"no_reasoning": 1, "refused_key_not_a_choice": 1, "written": 2}
    rows = {row["id"]: row for row in read_lines(result.version.data)}
    assert rows["asked/test/whole"]["messages"][-1]["content"].startswith("<think>\n<PLANNING>\np\n</PLANNING>\n")
    assert not [warning for warning in result.warnings if "reasoning" in warning]
    assert triptych.validate_file("cot-messages", result.version.data).passed
    assert not triptych.validate_file("cot-messages", result.version.data, task="structured").passed
    # Whether tokens are counted makes no difference to what is refused.
    only = triptych.export("cot", structure=True, name="only", model="qwen3-omni", store=store)
    assert only.version.manifest["counts"] == {
        "no_reasoning": 1, "no_sections": 1, "refused_key_not_a_choice": 1, "written": 1
    }  # fmt: skip
    check_accounts(store)


def test_what_is_told_of_an_export_says_why_samples_have_no_row_and_what_to_type_next(store: Path) -> None:
    def told(*words: str) -> str:
        done = cli("export", *words, "--store", store)
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert "\n  1 no_reasoning: no reasoning, neither as a field" in told("cot")
    *_, theirs, ours = told("msswift", "--task", "sft", "--split", "train", "--name", "rows").splitlines()
    assert theirs.startswith("train: swift sft --model ")
    own = "triptych train sft rows@v1 --model MODEL --set lora={} --output-dir runs/rows"
    assert ours == f"   or: {own} --store {store}"
    document = cli_json("export", "msswift", "--task", "sft", "--split", "train", "--name", "rows", "--store", store)
    assert (f"train: {document['next']}", document["next_own"]) == (theirs, f"{own} --store {store}")
    assert {Path(each).name for each in document["files"]} == {"NOTICE", "data.jsonl", "data.parquet"}
    assert " train " not in told("msswift", "--task", "sft", "--split", "test", "--name", "held")


def test_the_sound_of_an_object_moves_with_its_version(store: Path, tmp_path: Path) -> None:
    version = triptych.export("cot", style="json", store=store).version
    assert version.name == "cot-json"
    for row in read_lines(version.data):
        assert list(row) == ["id", "audio_feat", "question", "cot", "answer"] and Path(row["audio_feat"]).is_file()
    moved = triptych.exports.relocate(version.reference, "/elsewhere", store=store)
    assert all(row["audio_feat"].startswith("/elsewhere/media/") for row in read_lines(moved.data))
    triptych.exports.pack(version.reference, tmp_path / "pack", store=store)
    [packed] = {row["audio_feat"] for row in read_lines(tmp_path / "pack" / "data.jsonl")}
    assert Path(packed).is_relative_to(tmp_path / "pack") and Path(packed).is_file()


def test_an_evaluation_on_training_data_is_a_warning(store: Path) -> None:
    every = cli_json("export", "evaluation", "--store", store, "--json")
    [warning] = [line for line in every["warnings"] if "no validation or test data" in line]
    assert warning.startswith("1 of 4 rows are no validation or test data")
    held = cli_json("export", "evaluation", "--style", "items", "--split", "test", "--store", store, "--json")
    assert not [line for line in held["warnings"] if "test data" in line]
    assert held["counts"] == {"filtered": 1, "refused_answer_not_a_choice": 1, "written": 2}
    rows = [json.loads(line) for line in Path(held["data"]).read_text(encoding="utf-8").splitlines()]
    assert sorted(row["id"] for row in rows) == ["asked/test/bare", "asked/test/whole"]
    found = cli("validate-file", "evaluation-items", held["data"])
    assert found.returncode == 0, found.stdout
