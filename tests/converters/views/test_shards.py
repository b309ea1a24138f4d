"""Versions with their media inside: Parquet that `datasets` loads, and tar shards for WebDataset."""

from __future__ import annotations

import hashlib
import json
import tarfile
from pathlib import Path
from typing import Any

import datasets
import pyarrow.parquet as pq
import pytest
import triptych
from support.imported import bring_in, noise, read_lines, sound, video
from triptych.converters.views.files import hf, webdataset
from triptych.errors import ProblemsFound, UsageError
from triptych.validators.formats import FORMATS


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Text, sound, a silent film and one with sound, of two splits; two have fields of their own."""
    folder = tmp_path_factory.mktemp("mixed")
    rows: list[dict[str, Any]] = [
        {"id": "words", "modality": "text", "text": "only words", "split": "train"},
        {"id": "clip", "audio": str(sound(folder / "a.flac", noise(0.2, seed=1))), "text": "hello", "split": "train",
         "room": "3"},
        {"id": "part", "audio": str(sound(folder / "b.flac", noise(1.0, seed=2))), "text": "a part", "split": "train",
         "start_s": 0.25, "end_s": 0.75},
        {"id": "film", "video": str(video(folder / "v.mp4", seed=3)), "text": "a film", "split": "test-clean"},
        {"id": "both", "video": str(video(folder / "w.mp4", seed=4, with_sound=True)), "captions": ["one", "two"],
         "split": "test-clean", "task": "captioning", "camera": "x"},
    ]  # fmt: skip
    return bring_in(folder / "store", "mixed", rows, folder)


def sum_of(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def test_datasets_loads_the_folder_with_its_splits_and_media(store: Path, tmp_path: Path) -> None:
    version = triptych.export("hf", store=store).version
    loaded = datasets.load_dataset(str(version.path), cache_dir=str(tmp_path / "cache"))
    assert {name: len(split) for name, split in loaded.items()} == {"train": 3, "test_clean": 2}
    train = {row["id"].rsplit("/", 1)[-1]: row for row in loaded["train"]}
    assert loaded["train"].features["audio"] == datasets.Audio(decode=False)
    assert loaded["train"].features["video"] == datasets.Video(decode=False)
    rows = {row["id"].rsplit("/", 1)[-1]: row for row in read_lines(version.data)}
    for name in ("clip", "part"):
        assert sum_of(train[name]["audio"]["bytes"]) == Path(rows[name]["audio"]).stem
    assert train["words"]["audio"] is None and train["words"]["text"] == "only words"
    assert train["clip"]["extra"] == {"room": "3"} and train["part"]["extra"] is None
    test = {row["id"].rsplit("/", 1)[-1]: row for row in loaded["test_clean"]}
    assert sum_of(test["both"]["video"]["bytes"]) == Path(rows["both"]["video"]).stem
    assert test["both"]["captions"] == ["one", "two"] and test["film"]["captions"] is None


def test_a_folder_of_parquet_shards_is_read_back_with_its_splits_and_extra(store: Path, tmp_path: Path) -> None:
    version = triptych.export("hf", store=store).version
    columns = "modality, text, captions, coalesce(audio, video).sha256 AS sha, extra"
    done = triptych.import_data("hf", version.path, name="again", store=tmp_path / "again")
    assert (done.account.kept, done.account.candidates) == (5, 5)
    again = triptych.query(
        f"SELECT id, split, {columns} FROM samples ORDER BY id", store=tmp_path / "again"
    ).to_pylist()
    assert {row["split"] for row in again} == {"train", "test_clean"}
    by_id = {row.pop("id").split("/", 2)[2]: row for row in again}
    for row in read_lines(version.data):
        found, extra = by_id[row["id"]], row.get("extra")
        assert found["sha"] == Path(row.get("audio") or row.get("video") or "").stem or found["modality"] == "text"
        assert dict(found["extra"] or ()) == (json.loads(extra) if isinstance(extra, str) else extra or {})
        assert (found["text"], found["captions"]) == (row.get("text"), row.get("captions"))
    (version.path / "data/train-00000-of-00001.parquet").rename(tmp_path / "train-00001-of-00002.parquet")
    lacking = triptych.import_data("hf", tmp_path, name="half", store=tmp_path / "again")
    (tmp_path / "train-00001-of-00002.parquet").rename(version.path / "data/train-00000-of-00001.parquet")
    assert (lacking.account.kept, lacking.account.rejected) == (3, {"missing_file": 1})


def test_splits_that_would_have_one_name_are_refused(tmp_path: Path) -> None:
    rows = [{"id": name, "audio": str(sound(tmp_path / f"{name}.wav", noise(0.1))), "text": "x", "split": name}
            for name in ("test-a", "test.a")]  # fmt: skip
    store = bring_in(tmp_path / "store", "x", rows, tmp_path)
    with pytest.raises(ProblemsFound, match=r"'test-a' and 'test\.a' would be one"):
        triptych.export("hf", store=store)


def test_row_groups_and_shards_are_bounded_and_have_a_page_index(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hf, "GROUP_ROWS", 1)
    version = triptych.export("hf", store=store, name="grouped").version
    with pq.ParquetFile(version.path / "data/train-00000-of-00001.parquet") as file:
        assert file.metadata.num_row_groups == 3
        column = file.metadata.row_group(0).column(0)
        assert column.has_offset_index and column.has_column_index
    with pytest.raises(UsageError, match="media_root= is for rows that name it"):
        triptych.export("hf", media_root="/elsewhere", store=store)
    with pytest.raises(UsageError, match="has no option"):
        triptych.export("unified", shard_mb=3, store=store)


def test_tar_shards_hold_each_sample_under_one_key(store: Path, tmp_path: Path) -> None:
    version = triptych.export("webdataset", store=store).version
    [shard] = json.loads((version.path / "shards.json").read_text(encoding="utf-8"))
    assert shard["samples"] == 5 and shard["bytes"] == (version.path / shard["file"]).stat().st_size
    with tarfile.open(version.path / shard["file"]) as tar:
        members = {member.name: tar.extractfile(member).read() for member in tar}  # type: ignore[union-attr]
        assert {(member.uid, member.mtime) for member in tar.getmembers()} == {(0, 0)}
    samples: dict[str, dict[str, bytes]] = {}
    for name, data in members.items():
        key, _, suffix = name.partition(".")
        samples.setdefault(key, {})[suffix] = data
    rows = {row["id"]: row for row in read_lines(version.data)}
    assert len(samples) == 5
    for sample in samples.values():
        described = json.loads(sample["json"])
        row = rows[described["id"]]
        media = [path for column in ("videos", "audios") for path in row.get(column, ())]
        assert described["text"] if "text" in row else described["captions"] == row["captions"]
        assert {sum_of(data) for suffix, data in sample.items() if suffix != "json"} == {Path(p).stem for p in media}
    again = tmp_path / "again"
    triptych.import_data("webdataset", version.path / "shards", name="again", store=again)
    found = triptych.query("SELECT text, audio.sha256 AS sha FROM samples WHERE text = 'a part'", store=again)
    assert found.to_pylist() == [{"text": "a part", "sha": Path(rows["mixed/train/part"]["audios"][0]).stem}]


@pytest.mark.parametrize(
    ("media", "names"),
    [
        ({"audios": ["/a.flac"], "videos": ["/v.mp4"]}, ["mp4", "flac"]),
        ({"audios": ["/a.MP4"], "videos": ["/v.mp4"]}, ["video.mp4", "audio.mp4"]),
        ({"audios": ["/a.wav", "/b.mp4"], "videos": ["/v.mp4"]}, ["video.mp4", "audio0.wav", "audio1.mp4"]),
        ({"audios": ["/a.json"]}, ["audio"]),
        ({"audios": ["/a", "/b.cls"]}, ["audio0", "audio1"]),
    ],
)
def test_no_two_members_of_a_sample_have_one_name(media: dict[str, list[str]], names: list[str]) -> None:
    found = [name.partition(".")[2] for name, _ in webdataset.members({"id": "x", **media})]
    assert found == ["json", *names]


def test_copies_keep_the_shards_and_a_rebuild_makes_the_same(store: Path, tmp_path: Path) -> None:
    version = triptych.export("webdataset", store=store).version
    name = "shards/000000.tar"
    packed = triptych.exports.pack(version.reference, tmp_path / "pack", store=store)
    assert packed["files"] == version.manifest["files"] and packed["media"]["files"] == 0
    assert (tmp_path / "pack" / name).is_file() and not (tmp_path / "pack/media").exists()
    with pytest.raises(UsageError, match="a media root does not apply"):
        triptych.exports.relocate(version.reference, "/elsewhere", store=store)
    with pytest.raises(UsageError, match="a media root does not apply"):
        triptych.exports.pack(version.reference, tmp_path / "other", media_root="/elsewhere", store=store)
    (version.path / name).unlink()
    assert triptych.exports.rebuild(version.reference, store=store).restored == [name]


def test_unified_rows_with_further_fields_load_in_datasets(store: Path, tmp_path: Path) -> None:
    version = triptych.export("unified", store=store).version
    rows = {row["id"].rsplit("/", 1)[-1]: row for row in triptych.exports.open(version.reference, store=store)}
    assert rows["clip"]["extra"] == {"room": "3"} and rows["part"]["extra"] is None
    cache = str(tmp_path / "cache")
    from_lines = datasets.load_dataset("json", data_files=str(version.data), cache_dir=cache, split="train")
    assert {row["id"].rsplit("/", 1)[-1] for row in from_lines} == set(rows)
    again = tmp_path / "again"
    triptych.import_data("unified", version.path / "data.parquet", name="again", store=again, allow_outside=[store])
    found = triptych.query("SELECT extra['room'] AS room FROM samples WHERE extra['room'] IS NOT NULL", store=again)
    assert found.to_pylist() == [{"room": "3"}]


@pytest.mark.parametrize(("row", "code"), [
    ({"id": "", "audio": "/a"}, "missing_id"), ({"id": "a"}, "no_content"), ({"id": "a", "audio": 3}, "wrong_type"),
])  # fmt: skip
def test_a_broken_row_is_named(row: dict[str, Any], code: str) -> None:
    assert code in {finding.code for finding in FORMATS["hf"].Rows(files=False).check(1, row)}


def test_croissant_describes_the_rows_and_their_file(store: Path) -> None:
    version = triptych.export("croissant", store=store).version
    described = json.loads((version.path / "croissant.json").read_text(encoding="utf-8"))
    [file] = described["distribution"]
    assert file["sha256"] == version.manifest["files"]["data.parquet"]["sha256"]
    columns = pq.read_schema(version.path / "data.parquet").names
    assert [field["source"]["extract"]["column"] for field in described["recordSet"][0]["field"]] == columns
    assert described["description"] == "Rows of mixed (5)."
