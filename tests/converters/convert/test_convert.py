"""File to file: what comes out is what the consumer reads, what cannot come out is told with file and line."""

from __future__ import annotations

import contextlib
import io
import json
import os
import sys
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
import triptych
from hypothesis import given, settings
from hypothesis import strategies as st
from support import imported
from triptych.cli import main
from triptych.converters.views.batch import RowMaker
from triptych.converters.views.handmade import msswift_row

Row = dict[str, Any]


def cli(*words: str) -> tuple[int, str]:
    """Exit code and all that was printed, of a command in this process."""
    printed, argv = io.StringIO(), sys.argv
    sys.argv = ["triptych", *words]
    try:
        with (
            contextlib.redirect_stdout(printed),
            contextlib.redirect_stderr(printed),
            pytest.raises(SystemExit) as done,
        ):
            main()
    finally:
        sys.argv = argv
    return int(done.value.code or 0), printed.getvalue()


def names(folder: str | Path = ".") -> list[str]:
    return sorted(path.name for path in Path(folder).iterdir())


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder, with `a.wav`, `b.wav`, `v.mp4`, `i.png`: conversion decodes no media, it looks at the first bytes."""
    monkeypatch.chdir(tmp_path)
    for name in ("a.wav", "b.wav", "v.mp4", "i.png"):
        (tmp_path / name).write_bytes(b"\x00media")
    return tmp_path


def lines(path: str | Path) -> list[Row]:
    return [json.loads(line) for line in Path(path).read_text(encoding="utf-8").splitlines()]


def rows(path: str, *given_rows: Row) -> str:
    imported.table(Path(path), given_rows)
    return path


def turn(role: str, content: str) -> Row:
    return {"role": role, "content": content}


def test_a_csv_becomes_unified(here: Path) -> None:
    Path("in.csv").write_text("utt,caption,path\nx,a dog,a.wav\ny,,b.wav\n")
    code, out = cli("convert", "csv", "in.csv", "out.jsonl", "--id-col", "utt", "--text-col", "caption",
                    "--audio-col", "path")  # fmt: skip
    assert (code, out.splitlines()[0]) == (0, "out.jsonl: 2 rows of unified from 2 of in.csv")
    assert lines("out.jsonl") == [
        {"id": "x", "text": "a dog", "audio": f"{here}/a.wav", "video": None, "modality": "audio"},
        {"id": "y", "text": None, "audio": f"{here}/b.wav", "video": None, "modality": "audio"},
    ]
    assert triptych.validate_file("unified", "out.jsonl").passed


@pytest.mark.parametrize(("format", "name"), [("json", "in.json"), ("jsonl", "in.jsonl")])
def test_json_becomes_unified(here: Path, format: str, name: str) -> None:
    records = [{"key": "1", "said": "hi", "video_path": "v.mp4"}, {"key": "2", "said": "ho", "video_path": "v.mp4"}]
    Path(name).write_text(json.dumps(records) if format == "json" else "\n".join(map(json.dumps, records)))
    code, _ = cli("convert", format, name, "out.jsonl", "--id-key", "key", "--text-key", "said",
                  "--video-key", "video_path", "--name", "mine")  # fmt: skip
    assert code == 0
    assert lines("out.jsonl")[1] == {
        "id": "mine/2", "text": "ho", "audio": None, "video": f"{here}/v.mp4", "modality": "video",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("document", "ids"),
    [
        ({"id": "one", "audio": "a.wav", "text": "x"}, ["one"]),
        ({"one": {"audio": "a.wav"}, "two": {"audio": "b.wav"}}, ["one", "two"]),
    ],
)
def test_one_record_is_a_row_and_an_object_of_records_is_all_of_them(here: Path, document: Row, ids: list[str]) -> None:
    """The old converter made nothing of the first and one row of the second."""
    Path("in.json").write_text(json.dumps(document))
    triptych.convert("json", "in.json", "out.jsonl")
    assert [row["id"] for row in lines("out.jsonl")] == ids


def test_a_folder_pairs_sound_and_picture_of_one_stem_and_takes_the_text_beside_them(here: Path) -> None:
    media = "\0"
    for name, content in (
        ("c/1.wav", media),
        ("c/1.mp4", media),
        ("c/1.txt", "both"),
        ("c/2.wav", media),
        ("d/1.mp4", media),
    ):
        path = here / "data" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    code, _ = cli("convert", "folder", "data", "out.jsonl", "--name", "my_dataset")
    assert code == 0
    assert [(r["id"], r["modality"], r["text"]) for r in lines("out.jsonl")] == [
        ("my_dataset/c/1", "mixed", "both"), ("my_dataset/c/2", "audio", None), ("my_dataset/d/1", "video", None),
    ]  # fmt: skip
    assert lines("out.jsonl")[0]["audio"] == f"{here}/data/c/1.wav"


def test_a_stated_modality_must_agree_with_the_media(here: Path) -> None:
    rows("in.jsonl", {"id": "1", "audio": "a.wav", "text": "x"})
    code, out = cli("convert", "jsonl", "in.jsonl", "out.jsonl", "--modality", "mixed")
    assert code == 1 and "in.jsonl:1: modality_mismatch" in out and not Path("out.jsonl").exists()


# ---- msswift

UNIFIED: Row = {"id": "1", "text": "hello world", "audio": "a.wav", "modality": "audio"}


def test_unified_becomes_sft_and_the_answer_is_in_the_answer_only(here: Path) -> None:
    rows("in.jsonl", UNIFIED)
    code, out = cli("convert", "unified", "in.jsonl", "out.jsonl", "--task", "sft", "--system", "Be brief.")
    assert code == 0 and f"train: swift sft --model Qwen/Qwen2-Audio-7B-Instruct --dataset {here}/out.jsonl" in out
    assert lines("out.jsonl") == [{
        "id": "1", "audios": [f"{here}/a.wav"],
        "messages": [turn("system", "Be brief."), turn("user", "<audio>Transcribe the speech."),
                     turn("assistant", "hello world")],
    }]  # fmt: skip


def test_unified_becomes_grpo_with_its_solution(here: Path) -> None:
    rows("in.jsonl", UNIFIED | {"task": "aac"})
    triptych.convert("unified", "in.jsonl", "out.jsonl", task="grpo")
    assert lines("out.jsonl") == [{
        "id": "1", "messages": [turn("user", "<audio>Describe the sound.")], "audios": [f"{here}/a.wav"],
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
        turn("user", "<image><audio>What is this?"), turn("assistant", "A dog"),
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
    ("format", "row", "user", "assistant"),
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
    here: Path, format: str, row: Row, user: str, assistant: str
) -> None:
    triptych.convert(format, rows("in.jsonl", row), "out.jsonl")
    made = lines("out.jsonl")[0]
    assert made["messages"] == [turn("user", user), turn("assistant", assistant)]
    assert made["audios"] == [f"{here}/a.wav"]
    assert triptych.validate_file("msswift", "out.jsonl").passed


def test_sft_rows_become_grpo_and_unified(here: Path) -> None:
    row = {"id": "1", "messages": [turn("user", "<audio>Q"), turn("assistant", "A")], "audios": ["a.wav"]}
    rows("in.jsonl", row)
    triptych.convert("msswift", "in.jsonl", "grpo.jsonl", task="grpo")
    assert lines("grpo.jsonl")[0]["messages"] == [turn("user", "<audio>Q")]
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


# ---- problems


def test_bad_rows_are_listed_with_line_and_reason_and_the_good_ones_written(here: Path) -> None:
    Path("in.jsonl").write_text(
        '{"id": "1", "audio": "a.wav", "text": "x"}\n'
        "{broken\n"
        '{"id": "3", "audio": "gone.wav", "text": "x"}\n'
        '{"id": "4", "audio": "https://host/x.wav", "text": "x"}\n'
        '{"id": "5", "audio": "a.wav"}\n'
        '{"id": "1", "audio": "b.wav", "text": "another"}\n'
        '{"id": "1", "audio": "a.wav", "text": "x"}\n'
        '{"id": "8", "audio": "a.wav", "text": "x", "start": 1.0, "end": 2.0, "start_s": 1.0, "end_s": 2.0}\n'
        '{"id": "9", "audio": "a.wav", "text": "\\ud800"}\n'
        '{"id": "10", "audio": "b.wav", "text": "y"}\n'
    )
    code, out = cli("convert", "unified", "in.jsonl", "out.jsonl", "--task", "sft", "--json")
    document = json.loads(out)
    assert code == 1
    assert [(Path(p["where"]).name, p["reason"]) for p in document["problems"]] == [
        ("in.jsonl:2", "bad_json"), ("in.jsonl:3", "missing_file"), ("in.jsonl:4", "remote_media"),
        ("in.jsonl:5", "no_answer"), ("in.jsonl:6", "duplicate_id"), ("in.jsonl:8", "span_unsupported"),
        ("in.jsonl:9", "not_unicode"),
    ]  # fmt: skip
    assert (document["read"], document["written"], document["reasons"]["duplicate"]) == (10, 2, 1)
    assert [row["id"] for row in lines("out.jsonl")] == ["1", "10"]
    assert triptych.validate_file("msswift", "out.jsonl").passed


def test_what_stands_in_the_place_of_media_is_named(here: Path) -> None:
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n"
    held = {"lfs.wav": pointer, "none.wav": "", "page.wav": "<!DOCTYPE html><html>", "text.wav": "not found\n"}
    for name, content in held.items():
        Path(name).write_text(content)
    rows("in.jsonl", *({"id": name, "audio": name, "text": "x"} for name in [*held, "a.wav"]))
    code, out = cli("convert", "jsonl", "in.jsonl", "out.jsonl", "--json")
    document = json.loads(out)
    assert (code, document["written"]) == (1, 1)
    assert [problem["reason"] for problem in document["problems"]] == [
        "pointer",
        "empty_media",
        "not_media",
        "not_media",
    ]
    assert "git lfs pull" in document["problems"][0]["detail"] and document["problems"][3]["where"].endswith(":4")


def test_media_need_not_be_here_where_the_user_says_so(here: Path) -> None:
    rows("in.jsonl", UNIFIED | {"audio": "/elsewhere/x.wav"})
    assert cli("convert", "unified", "in.jsonl", "out.jsonl")[0] == 1
    assert cli("convert", "unified", "in.jsonl", "out.jsonl", "--no-files")[0] == 0
    assert lines("out.jsonl")[0]["audios"] == ["/elsewhere/x.wav"]


def test_no_good_row_leaves_no_file(here: Path) -> None:
    Path("in.jsonl").write_text("{broken\n")
    code, out = cli("convert", "unified", "in.jsonl", "sub/out.jsonl")
    assert code == 1 and "nothing written" in out
    assert names("sub") == []


# ---- what is never written over


@pytest.mark.parametrize("make", [os.symlink, os.link])
def test_an_input_is_never_written_over_by_any_name(here: Path, make: Any) -> None:
    rows("in.jsonl", UNIFIED)
    before = Path("in.jsonl").read_bytes()
    make("in.jsonl", "again.jsonl")
    for out in ("in.jsonl", "./in.jsonl", "again.jsonl"):
        code, said = cli("convert", "unified", "in.jsonl", out, "--force")
        assert code == 2 and "is an input" in said
    assert cli("convert", "merge", "in.jsonl", "-o", "in.jsonl", "--force")[0] == 2
    assert Path("in.jsonl").read_bytes() == before


def test_a_file_that_is_there_is_kept_without_force_and_through_a_failure(here: Path) -> None:
    rows("in.jsonl", UNIFIED)
    Path("out.jsonl").write_text("precious\n")
    code, out = cli("convert", "unified", "in.jsonl", "out.jsonl")
    assert code == 2 and "--force" in out
    rows("bad.jsonl", UNIFIED | {"text": ""})
    assert cli("convert", "unified", "bad.jsonl", "out.jsonl", "--force")[0] == 1
    assert Path("out.jsonl").read_text() == "precious\n"
    assert cli("convert", "unified", "in.jsonl", "out.jsonl", "--force")[0] == 0
    assert lines("out.jsonl")[0]["id"] == "1"
    assert not [name for name in names() if "partial" in name]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nothing", "in.jsonl", "out.jsonl"], "convert reads csv, json"),
        (["unified", "in.jsonl"], "inputs and an output"),
        (["ctm", "in.jsonl", "out.jsonl"], "triptych import ctm"),
        (["folder", ".", "out.jsonl", "--text-col", "said"], "takes no --map"),
        (["unified", "gone.jsonl", "out.jsonl"], "there is no such file"),
        (["folder", "in.jsonl", "out.jsonl"], "reads a folder"),
        (["unified", "in.jsonl", "out.jsonl", "--task", "dance"], "no task 'dance'"),
        (["unified", "in.jsonl", "out.jsonl", "--to", "nowhere"], "no view 'nowhere'"),
        (["unified", "in.jsonl", "out.jsonl", "--modality", "smell"], "--modality 'smell'"),
        (["unified", "in.jsonl", "out.jsonl", "--set", "colour=red"], "'colour' is not a field"),
        (["unified", "in.jsonl", "out.jsonl", "--set", "audio=a.wav"], "differs from row to row"),
        (["unified", "in.jsonl", "in.jsonl/out.jsonl"], "is not a folder"),
        (["unified", "in.jsonl", "."], "is a folder"),
        (["merge", "gone.jsonl", "out.jsonl"], "there is no such file"),
        (["split", "in.jsonl", "in.jsonl"], "is a file"),
        (["unified", "in.jsonl", "out.jsonl", "--text-col", "txet"], "no column 'txet'"),
        (["unified", "in.jsonl", "out.jsonl", "--user-template", "{colour}"], "is not a field"),
        (["unified", "in.jsonl", "out.jsonl", "--seed", "1"], "--max-samples"),
        (["merge", "in.jsonl", "-o", "out.jsonl", "--task", "sft"], "no --task"),
        (["validate", "in.jsonl", "x"], "triptych validate-file unified"),
        (["qa-msswift", "in.jsonl", "x"], "triptych convert qa"),
    ],
)
def test_a_wrong_word_is_told_before_anything_is_done(here: Path, words: list[str], said: str) -> None:
    rows("in.jsonl", UNIFIED)
    code, out = cli("convert", *words)
    assert code == 2 and said in out
    assert not Path("out.jsonl").exists()


# ---- merge and split


def test_merged_lines_never_run_together(here: Path) -> None:
    Path("1.jsonl").write_text('{"a":1}\n{"a":2}')
    Path("2.jsonl").write_text('{"a":3}\n')
    assert cli("convert", "merge", "1.jsonl", "2.jsonl", "-o", "m.jsonl")[0] == 0
    assert lines("m.jsonl") == [{"a": 1}, {"a": 2}, {"a": 3}]


def test_rows_are_merged_as_they_are_but_the_same_one_once(here: Path) -> None:
    odd = {"id": "é", "text": "", "nested": {"x": [1.5, None]}, "audio": "relative.wav"}
    rows("1.jsonl", odd, {"id": "b", "text": "1"})
    Path("2.json").write_text(json.dumps([odd, {"id": "b", "text": "2"}, {"id": "c"}]))
    code, out = cli("convert", "merge", "1.jsonl", "2.json", "m.jsonl")
    assert code == 1 and "2.json:2: duplicate_id" in out and "1 duplicate" in out
    assert lines("m.jsonl") == [odd, {"id": "b", "text": "1"}, {"id": "c"}]


def test_rows_of_another_kind_are_not_merged_in(here: Path) -> None:
    rows("1.jsonl", UNIFIED)
    rows("2.jsonl", {"messages": [turn("user", "q")]})
    code, out = cli("convert", "merge", "1.jsonl", "2.jsonl", "-o", "m.jsonl")
    assert code == 1 and "2.jsonl:1: other_format" in out and len(lines("m.jsonl")) == 1


def many(folder: Path, name: str, count: int) -> Path:
    return imported.table(folder / f"{name}.jsonl", [{"id": f"{name}{n}", "text": "t"} for n in range(count)])


def test_the_first_n_of_a_merge_are_the_first_n(here: Path) -> None:
    many(here, "a", 5), many(here, "b", 5)
    assert cli("convert", "merge", "a.jsonl", "b.jsonl", "-o", "m.jsonl", "--max-samples", "6")[0] == 0
    assert [row["id"] for row in lines("m.jsonl")] == ["a0", "a1", "a2", "a3", "a4", "b0"]


@given(seed=st.integers(0, 2**31), count=st.integers(1, 12), sizes=st.lists(st.integers(1, 6), min_size=2, max_size=4))
@settings(max_examples=25, deadline=None)
def test_a_draw_is_the_same_whatever_the_order_of_the_files_and_grows_by_adding(
    seed: int, count: int, sizes: list[int], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("draw")
    files = [many(folder, "abcd"[n], size) for n, size in enumerate(sizes)]

    def drawn(paths: list[Path], number: int) -> set[str]:
        result = triptych.convert("merge", paths, folder / "m.jsonl", max_samples=number, seed=seed, force=True)
        assert result.written == min(number, sum(sizes)) and result.read == sum(sizes)
        return {row["id"] for row in lines(folder / "m.jsonl")}

    assert drawn(files, count) == drawn(files[::-1], count) <= drawn(files, count + 1)


def test_a_draw_takes_good_rows_only(here: Path) -> None:
    rows("in.jsonl", *({**UNIFIED, "id": str(n), "text": "t" if n % 2 else ""} for n in range(10)))
    result = triptych.convert("unified", "in.jsonl", "out.jsonl", max_samples=4, seed=3)
    assert (result.written, result.reasons) == (4, {"no_answer": 5, "not_drawn": 1})


def test_a_file_is_split_by_what_its_rows_state_or_hold(here: Path) -> None:
    rows("all.jsonl", {"id": "1", "modality": "audio", "audio": "/a"}, {"id": "2", "modality": "mixed", "video": "/v"},
         {"id": "3", "video": "/v"}, {"id": "4", "audio": "/a", "video": "/v"}, {"id": "5", "text": "t"},
         {"id": "6", "modality": "smell"})  # fmt: skip
    code, out = cli("convert", "split", "all.jsonl", "-o", "parts")
    assert code == 1 and "all.jsonl:6: unknown_modality" in out
    found = {name: [row["id"] for row in lines(f"parts/{name}")] for name in names("parts")}
    assert found == {"audio.jsonl": ["1"], "mixed.jsonl": ["4", "2"], "text.jsonl": ["5"], "video.jsonl": ["3"]}
    assert cli("convert", "split", "all.jsonl", "-o", "parts")[0] == 2


# ---- the file


def test_a_file_of_many_modalities_begins_with_rows_that_fill_every_column(here: Path) -> None:
    sounds = [{"id": f"s{n}", "text": "t", "audio": "a.wav"} for n in range(5)]
    rows("in.jsonl", *sounds[:3], {"id": "v", "text": "t", "video": "v.mp4"}, *sounds[3:])
    triptych.convert("unified", "in.jsonl", "out.jsonl")
    assert [row["id"] for row in lines("out.jsonl")] == ["s0", "v", "s1", "s2", "s3", "s4"]
    rows("both.jsonl", *sounds, {"id": "m", "text": "t", "video": "v.mp4", "audio": "b.wav"})
    triptych.convert("unified", "both.jsonl", "both-out.jsonl")
    assert [row["id"] for row in lines("both-out.jsonl")] == ["m", "s0", "s1", "s2", "s3", "s4"]
    rows("one.jsonl", *sounds)
    triptych.convert("unified", "one.jsonl", "one-out.jsonl")
    assert [row["id"] for row in lines("one-out.jsonl")] == ["s0", "s1", "s2", "s3", "s4"]


@given(kinds=st.lists(st.sampled_from(["audio", "video", "mixed", "text"]), min_size=1, max_size=12))
@settings(max_examples=40, deadline=None)
def test_moving_rows_forward_loses_none(kinds: list[str], tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("witness")
    media = {"audio": {"audio": "/a.wav"}, "video": {"video": "/v.mp4"}, "text": {}}
    media["mixed"] = media["audio"] | media["video"]
    imported.table(folder / "in.jsonl", [{"id": str(n), "text": "t", **media[kind]} for n, kind in enumerate(kinds)])
    triptych.convert("unified", folder / "in.jsonl", folder / "out.jsonl", to="unified", files=False)
    found = lines(folder / "out.jsonl")
    assert sorted(int(row["id"]) for row in found) == list(range(len(kinds)))
    used = {column for row in found for column in ("audio", "video") if row[column]}
    assert {column for row in found[:2] for column in ("audio", "video") if row[column]} == used


def test_memory_is_flat_whatever_the_size_of_the_file(here: Path) -> None:
    text = "x" * 6000
    with Path("in.json").open("w") as file:
        file.write("[")
        for n in range(2000):
            file.write(("," if n else "") + json.dumps({**UNIFIED, "id": str(n), "text": text}) + "\n")
        file.write("]")
    triptych.convert("unified", rows("warm.jsonl", UNIFIED), "warm-out.jsonl")
    tracemalloc.start()
    result = triptych.convert("unified", "in.json", "out.jsonl")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert result.written == 2000 and Path("in.json").stat().st_size > 12_000_000
    assert peak < 6_000_000


# ---- one row by hand


def test_a_row_made_by_hand_fits_or_is_refused() -> None:
    row = msswift_row("What did the speaker say?", "Hello.", system="You are helpful.", audios=["/a.wav"])
    assert row == {
        "messages": [turn("system", "You are helpful."), turn("user", "<audio>What did the speaker say?"),
                     turn("assistant", "Hello.")],
        "audios": ["/a.wav"],
    }  # fmt: skip
    assert msswift_row("<audio>Q", solution="A", audios=["/a.wav"])["solution"] == "A"
    for wrong in ({"user": "<audio>Q", "assistant": "A"}, {"user": "<audio>Q", "audios": ["/a", "/b"]}):
        with pytest.raises(triptych.UsageError):
            msswift_row(**wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["out.parquet", "out.csv", "out.txt", "OUT.PARQUET"])
def test_a_name_of_another_kind_of_file_is_refused(name: str, here: Path) -> None:
    Path("in.csv").write_text("id,audio\n1,/x/1.wav\n")
    code, out = cli("convert", "csv", "in.csv", name, "--no-files")
    assert code == 2 and f"{name}: convert writes JSON Lines" in out and not Path(name).exists()
    for good in ("out.jsonl", "out.JSON", "out"):
        assert cli("convert", "csv", "in.csv", good, "--no-files")[0] == 0
    code, out = cli("convert", "merge", "out.jsonl")
    assert code == 2 and "triptych convert merge IN... -o OUT" in out


def test_options_of_conversations_need_a_view_of_conversations(here: Path) -> None:
    Path("in.csv").write_text("id,audio\n1,/x/1.wav\n")
    for option in ("--system", "--user-template"):
        code, out = cli("convert", "csv", "in.csv", "out.jsonl", "--no-files", "--to", "unified", option, "Be brief.")
        assert code == 2 and "are for conversations; the view 'unified' has none" in out


def test_rows_that_arrow_cannot_hold_do_not_repeat_their_batch(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []
    whole = RowMaker.rows
    monkeypatch.setattr(RowMaker, "rows", lambda maker, batch: sizes.append(len(batch)) or whole(maker, batch))
    bad = {"text": "x \ud800 y"}
    given = [{"id": str(n), "audio": f"/x/{n}.wav", **(bad if n % 10 == 0 else {"text": "wörld"})} for n in range(100)]
    Path("in.jsonl").write_text("".join(json.dumps(row) + "\n" for row in given))
    result = triptych.convert("jsonl", "in.jsonl", "out.jsonl", files=False)
    assert (result.written, dict(result.reasons), sizes) == (90, {"not_unicode": 10}, [90])
    assert result.problems[0].where.endswith("in.jsonl:1")
