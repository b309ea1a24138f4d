"""The rows of a version: read from its lines one by one, and refused where no model may be trained on them."""

from __future__ import annotations

import pickle
import shutil
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import triptych
from support.imported import bring_in, noise, sound, video
from triptych.converters.views import get_view
from triptych.converters.views.statement import columns_of
from triptych.errors import DamagedError, UsageError
from triptych.shards.exports.versions import Version
from triptych.shards.media.integrity import LinkedSums, check_as_stored
from triptych.shards.media.streams import MediaError
from triptych.shards.store.store import Store
from triptych.trainers.data.training_rows import TrainingRows, _check_form, trainer_of
from triptych.trainers.data.turns import ASSISTANT, USER, Clip, Turn, Video
from triptych.trainers.inference.sources import export


def edited(published: Path, tmp_path: Path, **manifest: Any) -> Path:
    """A copy of the store whose version says something else of itself."""
    import json

    store = shutil.copytree(published, tmp_path / "store")
    path = store / "exports" / "msswift-sft" / "v1" / "manifest.json"
    found = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps(found | manifest), encoding="utf-8")
    return store


def test_rows_are_read_where_they_stand_and_travel_to_other_processes(published: Path) -> None:
    rows = TrainingRows.open("msswift-sft", store=published, allow_held_out=True)
    assert len(rows) == 12 and {"talks/train/00", "texts/test/11"} < {row.id for row in rows}
    found = next(row for row in rows if row.id == "talks/train/02")
    (clip,) = found.media
    assert found.turns == (Turn(USER, (clip, "Who is xx?")), Turn(ASSISTANT, ("<think>She says so.</think>Anna.",)))
    assert isinstance(clip, Clip) and Path(clip.path).is_file() and found.where == "msswift-sft@v1 talks/train/02"
    assert rows[-1] == rows[11] == pickle.loads(pickle.dumps(rows))[11] and rows[10:] == [rows[10], rows[11]]
    with pytest.raises(IndexError):
        rows[12]
    assert rows.reader.content_sha256 and rows.where == "msswift-sft@v1"


@pytest.mark.parametrize(
    ("names", "manifest", "trainer"),
    [
        ("id messages audios", {"view": "msswift"}, "sft"),
        ("id messages rejected_response", {"view": "msswift"}, "dpo"),
        ("id prompt chosen rejected", {"view": "preference"}, "dpo"),
        ("id messages solution", {"view": "msswift"}, None),
        ("id messages", {"view": "evaluation"}, None),
        ("id messages", {"view": "calibration"}, None),
        ("id messages", {"view": "msswift", "held_out_rows": 1}, None),
        ("id text audio", {"view": "unified"}, None),
        ("id text audio", {"view": "term-chunks"}, "contrastive"),
        ("id messages audios", {"view": "phoneme"}, "phoneme"),
        ("id messages audios", {"view": "phoneme", "held_out_rows": 1}, None),
    ],
    ids=str,
)
def test_the_trainer_of_a_version_is_the_one_that_takes_its_rows(
    tmp_path: Path, names: str, manifest: dict[str, Any], trainer: str | None
) -> None:
    pq.write_table(pa.table({name: ["x"] for name in names.split()}), tmp_path / "data.parquet")
    assert trainer_of(Version("rows", "v1", tmp_path, manifest)) == trainer


def test_rows_of_a_test_split_are_not_trained_on(published: Path) -> None:
    with pytest.raises(UsageError, match="1 of 12 rows are of validation or test splits") as caught:
        TrainingRows.open("msswift-sft", store=Store.open(published))
    assert caught.value.hint is not None and "--split train" in caught.value.hint


@pytest.mark.parametrize(
    ("manifest", "error", "told"),
    [
        ({"withdrawn": "2026-01-01"}, UsageError, "was withdrawn"),
        ({"rows": 4}, DamagedError, "12 lines, but 4 rows were published"),
    ],
    ids=str,
)
def test_a_version_that_is_not_what_was_published_is_refused(
    published: Path, tmp_path: Path, manifest: dict[str, Any], error: type[Exception], told: str
) -> None:
    with pytest.raises(error, match=told):
        TrainingRows.open("msswift-sft", store=edited(published, tmp_path, **manifest), allow_held_out=True)


def test_a_changed_file_is_refused(published: Path, tmp_path: Path) -> None:
    store = edited(published, tmp_path)
    path = store / "exports" / "msswift-sft" / "v1" / "data.jsonl"
    path.write_bytes(path.read_bytes().replace(b"Anna", b"Anne"))
    with pytest.raises(DamagedError, match="changed since it was published"):
        TrainingRows.open("msswift-sft", store=store, allow_held_out=True)


def test_a_sound_that_was_replaced_after_it_was_published_is_refused(published: Path, tmp_path: Path) -> None:
    """Its row would be a text beside another sound."""
    [path, *_] = (published / "media").rglob("*.flac")
    path.rename(tmp_path / path.name)
    try:
        sound(path, noise(0.08, seed=7))
        with pytest.raises(DamagedError, match=rf"{path.name}: damaged: [\d,]+ bytes, expected"):
            TrainingRows.open("msswift-sft", store=published, allow_held_out=True)
    finally:
        (tmp_path / path.name).replace(path)


@pytest.mark.parametrize(("view", "style"), [("msswift", None), ("llamafactory", "kto"), ("messages", "trl")])
def test_labelled_answers_are_not_trained_as_if_all_were_good(tmp_path: Path, view: str, style: str | None) -> None:
    names = columns_of(get_view(view, style), "kto")
    pq.write_table(pa.table({name: ["x"] for name in names}), tmp_path / "data.parquet")
    version = Version("rows", "v1", tmp_path, {"view": view})
    assert trainer_of(version) is None
    with pytest.raises(UsageError, match="rows have labels of single answers"):
        _check_form(version, names, is_read=True)


@pytest.mark.parametrize(
    ("view", "options", "told"),
    [
        ("unified", {}, "its rows are no conversations"),
        pytest.param("msswift", {"task": "grpo"}, "rewards score what a model answers", marks=pytest.mark.thorough),
    ],
)
def test_rows_without_answers_name_what_to_export_instead(
    published: Path, view: str, options: dict[str, Any], told: str
) -> None:
    version = triptych.export(view, store=published, **options).version
    with pytest.raises(UsageError, match=told) as caught:
        TrainingRows.open(version.reference, store=published, allow_held_out=True)
    assert caught.value.hint is not None and "msswift --task sft" in caught.value.hint


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("view", "options"),
    [
        ("msswift", {"task": "sft"}), ("msswift", {"task": "dpo"}), ("conversation", {"style": "qwen2-audio"}),
        ("conversation", {"style": "inline"}), ("conversation", {"style": "sharegpt"}),
        ("messages", {"style": "openai"}), ("messages", {"style": "hf"}), ("messages", {"style": "trl", "task": "sft"}),
        ("messages", {"style": "trl", "task": "completion"}), ("messages", {"style": "trl", "task": "dpo"}),
        ("llamafactory", {"style": "sharegpt"}), ("llamafactory", {"style": "alpaca"}),
        ("llamafactory", {"style": "ranking"}), ("preference", {"dimension": "factuality"}),
        ("cot", {"style": "messages"}), ("cot", {"style": "json"}),
    ],
    ids=str,
)  # fmt: skip
def test_every_view_of_conversations_is_read_as_the_same_turns(
    published: Path, view: str, options: dict[str, Any]
) -> None:
    version = triptych.export(view, store=published, dataset="talks", name="one", **options).version
    rows = {row.id: row for row in TrainingRows.open(version.reference, store=published)}
    assert sorted(rows) == [f"talks/train/{number:02}" for number in range(0, 12, 2)]
    for number in (2, 4):
        row = rows[f"talks/train/{number:02}"]
        (clip,) = row.media
        assert row.turns[0] == Turn(USER, (clip, row.turns[0].text)) and Path(clip.path).is_file()
        assert row.turns[0].text == f"Who is {'x' * number}?"
        pair = version.manifest["options"]["task"] == "dpo" or view == "preference" or options.get("style") == "ranking"
        if pair:
            assert (row.turns[1].text, row.rejected) == ("Anna.", Turn(ASSISTANT, ("Bob.",)))
        else:
            said = (
                "<think>\nShe says so.\n</think>\n\n<RESPONSE>\nAnna.\n</RESPONSE>" if view == "cot"
                else "<think>She says so.</think>Anna."
            )  # fmt: skip
            assert (row.turns[1].text, row.rejected) == (said, None)


@pytest.mark.thorough
def test_the_sound_inside_a_video_is_heard_where_the_export_leaves_it_there(published: Path, tmp_path: Path) -> None:
    store = shutil.copytree(published, tmp_path / "store")
    shown = [{"id": "v", "video": str(video(tmp_path / "v.mp4", with_sound=True)), "text": "A star.", "split": "train"}]
    bring_in(store, "shown", shown, tmp_path / "in")
    for av, heard in (("separate", False), ("in-video", True)):
        version = triptych.export("msswift", task="sft", dataset="shown", av=av, name=av, store=store).version
        (row,) = TrainingRows.open(version.reference, store=store)
        assert [medium.with_sound for medium in row.media if isinstance(medium, Video)] == [heard]
        assert sum(isinstance(medium, Clip) for medium in row.media) == (0 if heard else len(row.media) - 1)


def test_a_linked_file_in_whose_place_another_lies_is_not_heard(tmp_path: Path) -> None:
    """Its name says nothing of its bytes, and its size may be the same: the store has their sum."""
    clips = [sound(tmp_path / f"{number}.wav", noise(0.1, seed=number)) for number in range(3)]
    given = [{"id": clip.stem, "audio": str(clip), "text": f"text {clip.stem}", "task": "asr", "language": "en"}
             for clip in clips]  # fmt: skip
    store = bring_in(tmp_path / "store", "mine", given[:2], tmp_path, link=True)
    shutil.copyfile(clips[2], clips[1])  # a second sample of the path, with other bytes
    bring_in(store, "mine", [{**given[1], "id": "again"}, given[2]], tmp_path, link=True)
    triptych.export("conversation", name="conversation", store=store)
    opened = TrainingRows.open("conversation", store=store)
    rows = pickle.loads(pickle.dumps(opened))
    heard = {row.id.rpartition("/")[2]: row.media[0] for row in rows}
    assert {name: medium.path for name, medium in heard.items()} == {
        "0": str(clips[0]), "again": str(clips[1]), "2": str(clips[2]),
    }  # the sample of the file that was there before has no row  # fmt: skip

    def told() -> list[str]:
        found = []
        for name, medium in heard.items():
            try:
                check_as_stored(Path(medium.path), medium.sha256)
            except MediaError as error:
                found.append(f"{name}: {error.reason}")
        return sorted(found)

    assert told() == []
    sound(clips[0], noise(0.1, seed=9))
    assert told() == ["0: changed_media"]
    asked = export("conversation", store, None)
    assert {each.id.rpartition("/")[2]: each.clips[0] for each in asked.questions} == heard
    assert not LinkedSums().get(str(clips[0]))
