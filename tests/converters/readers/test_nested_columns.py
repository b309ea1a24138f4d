"""Values inside the objects and lists of a table: by dotted paths, and records further inside a document."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import triptych
from support.stores import select
from triptych.errors import UsageError

RECORD = {"uid": "a", "media": {"audio": {"path": "a.wav"}, "room": "hall"}, "ann": [{"value": "hello", "by": "x"}]}
MAPS = {"media.audio.path": "audio", "ann.0.value": "text"}


def write(folder: Path, name: str, content: Any) -> Path:
    (folder / "a.wav").write_bytes(b"\0")
    text = content if isinstance(content, str) else json.dumps(content)
    (folder / name).write_text(text)
    return folder / name


def converted(format: str, path: Path, **options: Any) -> list[dict[str, Any]]:
    out = path.parent / "out.jsonl"
    triptych.convert(format, path, out, force=True, to="unified", **options)
    return [json.loads(line) for line in out.read_text().splitlines()]


@pytest.mark.parametrize(("format", "content"), [
    ("json", [RECORD]), ("jsonl", json.dumps(RECORD)), ("json", {"data": {"items": [RECORD]}, "version": "1"}),
])  # fmt: skip
def test_a_path_is_a_column(tmp_path: Path, format: str, content: Any) -> None:
    records = {"records": "data.items"} if isinstance(content, dict) else {}
    [row] = converted(format, write(tmp_path, "t", content), columns=MAPS, id_column="uid", **records)
    assert (row["id"], row["text"], row["audio"]) == ("a", "hello", str(tmp_path / "a.wav"))


def test_what_is_left_of_the_column_is_kept_and_a_column_of_that_name_goes_first(
    tmp_path: Path, tone: Callable[..., bytes]
) -> None:
    sound = {"bytes": tone(300), "path": "x.flac"}
    rows = [{"deep": {"sound": sound, "room": "hall"}, "a.b": "flat", "a": {"b": "nested"}}]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "t.parquet")
    triptych.import_data("parquet", tmp_path / "t.parquet", name="mine", store=tmp_path / "store",
                         columns={"deep.sound": "audio", "a.b": "text"})  # fmt: skip
    [row] = select(tmp_path / "store", "select text, audio is not null sounds, extra from samples")
    assert row == {"text": "flat", "sounds": True, "extra": {"deep": '{"room": "hall"}', "a": '{"b": "nested"}'}}


@pytest.mark.parametrize(
    ("format", "content", "options", "said"),
    [
        ("json", {"data": {"items": [RECORD, RECORD]}}, {}, "--records data.items"),
        ("json", [{"clip": RECORD}], {}, "--map clip.media.audio.path=audio"),
        ("json", [RECORD], {"columns": {"media.audio.file": "audio"}}, "no column 'media.audio.file'"),
        ("json", [RECORD], {"columns": {"ann.7.value": "text"}}, "no column 'ann.7.value'"),
        ("json", {"data": [RECORD]}, {"records": "data.none"}, "no list with records at 'data.none'"),
    ],
)
def test_what_is_missing_is_said_with_what_is_there(
    tmp_path: Path, format: str, content: Any, options: dict[str, Any], said: str
) -> None:
    with pytest.raises(UsageError) as caught:
        converted(format, write(tmp_path, "t.json", content), **options)
    assert said in f"{caught.value.message} {caught.value.hint}"


def test_training_rows_take_paths_too(tmp_path: Path) -> None:
    row = {"q": {"text": "what?"}, "answer": "that", "meta": {"audio": "a.wav"}}
    path = write(tmp_path, "t.jsonl", json.dumps(row))
    [made] = converted("qa", path, columns={"q.text": "question", "meta.audio": "audio"})
    assert made["audio"] == str(tmp_path / "a.wav")


def test_a_single_record_with_lists_of_its_own_is_one_record(tmp_path: Path) -> None:
    path = write(tmp_path, "t.json", {"audio": "a.wav", "text": "one", "turns": [{"f": "b.wav"}]})
    assert [row["text"] for row in converted("json", path)] == ["one"]
