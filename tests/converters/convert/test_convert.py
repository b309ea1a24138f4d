"""File to file: what comes out is what the consumer reads, what cannot come out is told with file and line."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
import triptych
from support.conversions import UNIFIED, cli, lines, names, rows
from support.training import Row
from triptych.converters.views.batch import RowMaker


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


@pytest.mark.parametrize("name", ["out.parquet", "out.csv", "out.txt", "OUT.PARQUET"])
def test_a_name_of_another_kind_of_file_is_refused(name: str, here: Path) -> None:
    Path("in.csv").write_text("id,audio\n1,/x/1.wav\n")
    code, out = cli("convert", "csv", "in.csv", name, "--no-files")
    assert code == 2 and f"{name}: convert writes JSON Lines" in out and not Path(name).exists()
    for good in ("out.jsonl", "out.JSON", "out"):
        assert cli("convert", "csv", "in.csv", good, "--no-files")[0] == 0
    code, out = cli("convert", "merge", "out.jsonl")
    assert code == 2 and "triptych convert merge IN... -o OUT" in out


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
