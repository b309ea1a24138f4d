"""Rows for ms-swift, of every task and out of every form, in files and one by one."""

from __future__ import annotations

from pathlib import Path

import pytest
import triptych
from support import imported
from support.conversions import UNIFIED, cli, lines, names, rows
from support.training import Row, assistant, system, user
from triptych.converters.views.handmade import msswift_row


def test_unified_becomes_sft_and_the_answer_is_in_the_answer_only(here: Path) -> None:
    rows("in.jsonl", UNIFIED)
    code, out = cli("convert", "unified", "in.jsonl", "out.jsonl", "--task", "sft", "--system", "Be brief.")
    assert code == 0 and f"train: swift sft --model Qwen/Qwen2-Audio-7B-Instruct --dataset {here}/out.jsonl" in out
    assert lines("out.jsonl") == [{
        "id": "1", "audios": [f"{here}/a.wav"],
        "messages": [system("Be brief."), user("<audio>Transcribe the speech."),
                     assistant("hello world")],
    }]  # fmt: skip


def test_unified_becomes_grpo_with_its_solution(here: Path) -> None:
    rows("in.jsonl", UNIFIED | {"task": "aac"})
    triptych.convert("unified", "in.jsonl", "out.jsonl", task="grpo")
    assert lines("out.jsonl") == [{
        "id": "1", "messages": [user("<audio>Describe the sound.")], "audios": [f"{here}/a.wav"],
        "solution": "hello world", "task": "aac",
    }]  # fmt: skip


@pytest.mark.parametrize("task", ["sft", "grpo"])
def test_a_template_that_shows_the_answer_writes_nothing(here: Path, task: str) -> None:
    rows("in.jsonl", UNIFIED)
    words = ("convert", "unified", "in.jsonl", "out.jsonl", "--task", task, "--user-template")
    code, out = cli(*words, "{modality_tag}Please describe: {text}")
    assert code == 1 and "in.jsonl:1" in out and "--allow-answer-in-prompt" in out
    assert names() == ["a.wav", "b.wav", "i.png", "in.jsonl", "v.mp4"]
    assert cli(*words, "{modality_tag}Please describe: {text}", "--allow-answer-in-prompt")[0] == 0
    assert lines("out.jsonl")[0]["messages"][0]["content"] == "<audio>Please describe: hello world"
    assert cli(*words, "Say it {modality_tag}", "--force")[0] == 0
    assert lines("out.jsonl")[0]["messages"][0]["content"] == "Say it <audio>"


def test_questions_become_msswift_by_their_keys(here: Path) -> None:
    rows("qa.jsonl", {"q": "What is this?", "a": "A dog", "image_path": "i.png", "clip": "a.wav"})
    code, _ = cli("convert", "qa", "qa.jsonl", "out.jsonl", "--question-key", "q", "--answer-key", "a",
                  "--image-key", "image_path", "--audio-key", "clip")  # fmt: skip
    assert code == 0
    assert lines("out.jsonl")[0]["messages"] == [
        user("<image><audio>What is this?"), assistant("A dog"),
    ]  # fmt: skip
    triptych.convert("qa", "qa.jsonl", "grpo.jsonl", task="grpo",
                     columns={"q": "question", "a": "answer", "image_path": "image", "clip": "audio"})  # fmt: skip
    assert lines("grpo.jsonl")[0]["solution"] == "A dog"


def test_a_key_named_like_its_field_may_be_missing(here: Path) -> None:
    rows("qa.jsonl", {"question": "<audio>Q?", "answer": "A", "audio": "a.wav"})
    code, _ = cli("convert", "qa", "qa.jsonl", "out.jsonl", "--question-key", "question", "--answer-key", "answer",
                  "--image-key", "image", "--audio-key", "audio")  # fmt: skip
    assert code == 0
    assert lines("out.jsonl")[0]["messages"][0]["content"] == "<audio>Q?", "a tag that is there is not doubled"


@pytest.mark.parametrize(
    ("format", "row", "question", "answer"),
    [
        ("conversation", {"conversations": [{"from": "user", "value": "<audio>a.wav</audio>请你做语音评测"},
                                            {"from": "assistant", "value": "sil sh iy"}]},
         "<audio>请你做语音评测", "sil sh iy"),
        ("conversation", {"audio": "a.wav", "conversations": [{"from": "human", "value": "<audio>\nMood?"},
                                                              {"from": "gpt", "value": "Calm."}]},
         "<audio>\nMood?", "Calm."),
        ("alpaca", {"instruction": "Which?", "input": "<audio>", "output": "<think>\nhm\n</think>\nB",
                    "audio": "a.wav"},
         "Which?\n<audio>", "<think>\nhm\n</think>\nB"),
    ],
)  # fmt: skip
def test_conversations_become_msswift_word_for_word(
    here: Path, format: str, row: Row, question: str, answer: str
) -> None:
    triptych.convert(format, rows("in.jsonl", row), "out.jsonl")
    made = lines("out.jsonl")[0]
    assert made["messages"] == [user(question), assistant(answer)]
    assert made["audios"] == [f"{here}/a.wav"]
    assert triptych.validate_file("msswift", "out.jsonl").passed


def test_sft_rows_become_grpo_and_unified(here: Path) -> None:
    row = {"id": "1", "messages": [user("<audio>Q"), assistant("A")], "audios": ["a.wav"]}
    rows("in.jsonl", row)
    triptych.convert("msswift", "in.jsonl", "grpo.jsonl", task="grpo")
    assert lines("grpo.jsonl")[0]["messages"] == [user("<audio>Q")]
    assert lines("grpo.jsonl")[0]["solution"] == "A"
    triptych.convert("msswift", "in.jsonl", "u.jsonl")
    assert lines("u.jsonl") == [
        {"id": "1", "text": "A", "audio": f"{here}/a.wav", "video": None, "modality": "audio"}
    ]  # fmt: skip


def test_unified_rows_taken_for_msswift_are_told(here: Path) -> None:
    rows("in.jsonl", UNIFIED)
    code, out = cli("convert", "msswift", "in.jsonl", "out.jsonl", "--task", "sft")
    assert code == 1 and "triptych convert unified IN OUT" in out


def test_conversion_and_export_make_the_same_rows(tmp_path: Path) -> None:
    given_rows = imported.speech_rows(tmp_path / "in", 4)
    store = imported.bring_in(tmp_path / "store", "speech", given_rows, tmp_path, link=True)
    triptych.validate(store=store)
    for task in ("sft", "grpo"):
        exported = triptych.export("msswift", task=task, text="raw", order="id", store=store).version.data
        triptych.convert("jsonl", tmp_path / "speech.jsonl", tmp_path / f"{task}.jsonl", task=task)
        ours = [{**row, "id": f"speech/{'test' if n == 4 else 'train'}/{row['id']}"}
                for n, row in enumerate(lines(tmp_path / f"{task}.jsonl"))]  # fmt: skip
        assert ours == lines(exported)


# ---- one row by hand


def test_a_row_made_by_hand_fits_or_is_refused() -> None:
    row = msswift_row("What did the speaker say?", "Hello.", system="You are helpful.", audios=["/a.wav"])
    assert row == {
        "messages": [system("You are helpful."), user("<audio>What did the speaker say?"),
                     assistant("Hello.")],
        "audios": ["/a.wav"],
    }  # fmt: skip
    assert msswift_row("<audio>Q", solution="A", audios=["/a.wav"])["solution"] == "A"
    for wrong in ({"user": "<audio>Q", "assistant": "A"}, {"user": "<audio>Q", "audios": ["/a", "/b"]}):
        with pytest.raises(triptych.UsageError):
            msswift_row(**wrong)  # type: ignore[arg-type]


def test_options_of_conversations_need_a_view_of_conversations(here: Path) -> None:
    Path("in.csv").write_text("id,audio\n1,/x/1.wav\n")
    for option in ("--system", "--user-template"):
        code, out = cli("convert", "csv", "in.csv", "out.jsonl", "--no-files", "--to", "unified", option, "Be brief.")
        assert code == 2 and "are for conversations; the view 'unified' has none" in out
