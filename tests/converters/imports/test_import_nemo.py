"""Importing NeMo manifests: offsets as spans, paths as NeMo finds them, tarred manifests told apart."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import triptych
from support.stores import check_accounts, select
from triptych.converters.imports.import_data import ImportResult
from triptych.errors import UsageError

Tone = Callable[..., bytes]


@pytest.fixture
def folder(tmp_path: Path, tone: Tone) -> Path:
    (tmp_path / "corpus/wav").mkdir(parents=True)
    (tmp_path / "corpus/wav/a.wav").write_bytes(tone(300, seconds=2.0, format="WAV"))
    (tmp_path / "corpus/wav/b.wav").write_bytes(tone(400, seconds=1.0, format="WAV"))
    return tmp_path / "corpus"


def manifest(folder: Path, rows: list[dict[str, Any]], name: str = "manifest.json") -> Path:
    (folder / name).write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return folder / name


def load(path: Path, **options: Any) -> ImportResult:
    store = (path if path.is_dir() else path.parent).parent / "store"
    done = triptych.import_data("nemo", path, name="mine", store=store, **options)
    check_accounts(store)
    return done


def rows(folder: Path, columns: str) -> list[dict[str, Any]]:
    return select(folder.parent / "store", f"select {columns} from samples order by id")


def test_a_manifest_with_offsets_and_without(folder: Path) -> None:
    path = manifest(
        folder,
        [
            {"audio_filepath": "wav/a.wav", "duration": 2.0, "text": "all", "lang": "en", "speaker": "s1", "snr": 7},
            {"audio_filepath": "wav/a.wav", "duration": 0.5, "offset": 0.25, "text": "part"},
            {"audio_filepath": str(folder / "wav/b.wav"), "duration": 1.0, "offset": 0.0, "text": "whole"},
            {"audio_filepath": "wav/b.wav", "duration": 0.5, "offset": 0, "text": "first half"},
        ],
    )
    assert load(path).account.kept == 4
    found = rows(folder, "text, start_s, end_s, language, speaker, extra['duration'] d, extra['snr'] snr")
    assert sorted((tuple(row.values()) for row in found), key=str) == [
        ("all", None, None, "en", "s1", "2.0", "7"),
        ("first half", 0.0, 0.5, None, None, "0.5", None),
        ("part", 0.25, 0.75, None, None, "0.5", None),
        ("whole", None, None, None, None, "1.0", None),
    ]


def test_rows_that_cannot_be_used_have_a_reason(folder: Path) -> None:
    (folder / "said.txt").write_text("from a file\n")
    path = manifest(
        folder,
        [
            {"audio_filepath": "wav/a.wav", "text_filepath": "said.txt", "duration": 2},
            {"audio_filepath": "wav/b.wav", "text_filepath": "none.txt", "duration": 1},
            {"audio_filepath": "wav/b.wav", "offset": "soon", "duration": 1, "text": "x"},
            {"audio_filepath": "wav/b.wav", "offset": -1, "duration": 1, "text": "x"},
            {"audio_filepath": "wav/b.wav", "offset": 1, "duration": 0, "text": "x"},
            {"audio_filepath": "sox b.wav -t wav - |", "duration": 1, "text": "x"},
            {"audio_filepath": "s3://bucket/b.wav", "duration": 1, "text": "x"},
            {"audio_filepath": "wav/c.wav", "duration": 1, "text": "x"},
            {"duration": 1, "text": "x"},
        ],
    )
    done = load(path)
    assert rows(folder, "text") == [{"text": "from a file"}]
    assert done.account.rejected == {
        "bad_value": 4, "executable_entry": 1, "remote_media": 1, "missing_media": 1, "no_media": 1,
    }  # fmt: skip


def test_the_rows_of_a_tarred_manifest_need_their_audio_unpacked(folder: Path) -> None:
    path = manifest(folder, [{"audio_filepath": "a.wav", "duration": 2, "text": "x", "shard_id": 0}])
    with pytest.raises(UsageError, match="tarred manifest") as caught:
        load(path)
    assert "--media-dir" in (caught.value.hint or "")
    assert load(path, media_dir=folder / "wav").account.kept == 1


def test_a_folder_is_all_its_manifests_and_a_map_goes_first(folder: Path) -> None:
    manifest(folder, [{"audio_filepath": "wav/a.wav", "text": "x", "pred_text": "y"}], "m_0.json")
    manifest(folder, [{"audio_filepath": "wav/b.wav", "text": "x", "pred_text": "z"}], "m_1.jsonl")
    load(folder, columns={"pred_text": "text"})
    assert rows(folder, "id, text, extra['text'] t") == [
        {"id": "mine/all/wav/a", "text": "y", "t": "x"},
        {"id": "mine/all/wav/b", "text": "z", "t": "x"},
    ]


def test_a_duration_without_an_offset_is_the_first_part_of_the_file(folder: Path) -> None:
    path = manifest(
        folder,
        [
            {"audio_filepath": "wav/a.wav", "duration": 0.75, "text": "part"},
            {"audio_filepath": "wav/a.wav", "duration": 0.5, "offset": None, "text": "null"},
            {"audio_filepath": "wav/a.wav", "duration": 1.97, "text": "rounded"},
            {"audio_filepath": "wav/a.wav", "duration": 9.0, "text": "longer"},
            {"audio_filepath": "wav/a.wav", "duration": 0, "text": "unknown"},
        ],
    )
    assert load(path).account.kept == 5
    found = {row["text"]: (row["start_s"], row["end_s"]) for row in rows(folder, "text, start_s, end_s")}
    assert found == {
        "part": (0.0, 0.75), "null": (0.0, 0.5), "rounded": (None, None), "longer": (None, None),
        "unknown": (None, None),
    }  # fmt: skip


def test_further_spans_of_a_member_of_a_tarred_manifest_are_of_that_member(folder: Path) -> None:
    lines = [("a.wav", 0.5), ("a-sub1.wav", 1.0), ("b-sub2.wav", 0.0)]
    path = manifest(
        folder,
        [
            {"audio_filepath": name, "offset": start, "duration": 0.5, "text": name, "shard_id": 0}
            for name, start in lines
        ],
    )
    (folder / "wav/b-sub2.wav").write_bytes((folder / "wav/b.wav").read_bytes()[:-2])  # a name of its own
    assert load(path, media_dir=folder / "wav").account.kept == 3
    found = {row["text"]: (row["id"], row["start_s"]) for row in rows(folder, "text, id, start_s")}
    assert found == {
        "a.wav": ("mine/all/a@0.5-1", 0.5), "a-sub1.wav": ("mine/all/a@1-1.5", 1.0),
        "b-sub2.wav": ("mine/all/b-sub2@0-0.5", 0.0),
    }  # fmt: skip


def test_manifests_of_several_splits_are_not_one(folder: Path) -> None:
    for name, audio in (("train_manifest", "a"), ("dev_manifest", "b")):
        manifest(folder, [{"audio_filepath": f"wav/{audio}.wav", "text": name}], f"{name}.json")
    load(folder)
    assert [tuple(row.values()) for row in rows(folder, "id, text")] == [
        ("mine/dev/wav/b", "dev_manifest"), ("mine/train/wav/a", "train_manifest"),
    ]  # fmt: skip


@pytest.mark.parametrize("indent", [None, 1])
def test_a_document_in_place_of_lines_is_refused_once(folder: Path, indent: int | None) -> None:
    rows = [{"audio_filepath": "wav/a.wav", "text": "x"}] * 3
    (folder / "m.json").write_text(json.dumps(rows, indent=indent))
    assert load(folder / "m.json").account.dropped == {"not_json_lines": 1}


def test_a_list_or_an_object_is_no_transcript(folder: Path) -> None:
    texts: list[Any] = [["one"], ["one", "two"], {"en": "one"}, 7]
    path = manifest(folder, [{"audio_filepath": "wav/a.wav", "text": text} for text in texts])
    assert load(path).account.dropped == {"bad_value": 2}
    assert sorted(row["text"] for row in rows(folder, "text")) == ["7", "one"]
    events = select(folder.parent / "store", "select detail from events order by candidate")
    assert all("one text (several texts: --map text=captions" in event["detail"] for event in events)


def test_a_text_in_the_target_language_is_the_translation(folder: Path) -> None:
    both = {"source_lang": "en", "target_lang": "de", "taskname": "s2t_translation"}
    path = manifest(
        folder,
        [
            {"audio_filepath": "wav/a.wav", "text": "guten Tag", "lang": "de", **both},
            {"audio_filepath": "wav/b.wav", "text": "good day", "source_lang": "en-US", "target_lang": "en"},
        ],
    )
    load(path, values={"task": "asr"})
    assert [tuple(row.values()) for row in rows(folder, "text, translation, language, target_language, task")] == [
        (None, "guten Tag", "en", "de", "s2tt"), ("good day", None, "en-US", "en", "asr"),
    ]  # fmt: skip
