"""What rows are in a model: budget.parquet, the limits, and what is told of clips that an extractor cuts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import triptych
from support.imported import bring_in, noise, read_lines, sound, video
from support.stores import check_accounts, cli, select
from triptych.errors import UsageError

pytest.importorskip("tiktoken", reason="the extra budgets is not installed")

LONG_S = 31.3


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("budget")
    long = sound(folder / "long.wav", noise(LONG_S, seed=2, rate=8000), rate=8000)
    rows = [
        {"id": "short", "audio": str(sound(folder / "short.flac", noise(1.0, seed=1))), "text": "hello world"},
        {"id": "long", "audio": str(long), "text": "a longer text is this"},
        {"id": "span", "audio": str(long), "text": "a span", "start_s": 1.0, "end_s": 2.5},
        {"id": "film", "video": str(video(folder / "film.mp4", with_sound=True)), "text": "a film",
         "modality": "mixed"},
    ]  # fmt: skip
    return bring_in(folder / "store", "x", [row | {"language": "en"} for row in rows], folder)


def export(store: Path, **options: Any) -> Any:
    return triptych.export("msswift", task="sft", store=store, **options)


def budget(version: Any) -> dict[str, dict[str, Any]]:
    return {row["id"].rsplit("/")[-1]: row for row in pq.read_table(version.path / "budget.parquet").to_pylist()}


def test_a_version_says_what_each_row_is_in_the_model_of_the_request(store: Path) -> None:
    result = export(store, model="qwen3-omni", name="omni")
    rows = budget(result.version)
    assert [row["id"] for row in read_lines(result.version.data)] == [row["id"] for row in rows.values()]
    counts = ("seconds", "audio_tokens", "video_frames", "video_tokens", "text_tokens", "tokens")
    assert {name: tuple(row[each] for each in counts) for name, row in rows.items()} == {
        "short": (1.0, 13, 0, 0, 19, 32),
        "long": (LONG_S, 407, 0, 0, 22, 429),
        "span": (1.5, 20, 0, 0, 19, 39),
        "film": (0.512, 7, 4, 280, 23, 310),
    }
    manifest = result.version.manifest
    assert "budget.parquet" in manifest["files"] and manifest["limits"] == {"model": "qwen3-omni", "long": "keep"}
    assert manifest["budget"] == {
        "model": "qwen3-omni", "seconds": 34.312, "tokens": 810, "cut_rows": 0, "cut_seconds": 0.0
    }  # fmt: skip
    assert "--model Qwen/Qwen3-Omni-30B-A3B-Instruct" in result.next_command
    assert export(store, model="qwen3-omni", name="omni").reused


def test_the_sound_inside_a_video_counts_where_the_trainer_reads_it(store: Path) -> None:
    apart = budget(export(store, model="qwen3-omni", name="omni").version)["film"]
    inside = budget(export(store, model="qwen3-omni", av="in-video", name="inside").version)["film"]
    assert inside["audio_tokens"] == apart["audio_tokens"] and inside["video_tokens"] == apart["video_tokens"]
    assert (apart["seconds"], inside["seconds"]) == (0.512, 0.5)  # not the sum: both are heard and seen at once


def test_rows_over_a_limit_are_left_out_and_counted(store: Path) -> None:
    result = export(store, model="qwen2.5-omni", max_tokens=100, name="limited")
    assert result.version.manifest["counts"] == {"over_max_tokens": 2, "written": 2}
    assert set(budget(result.version)) == {"short", "span"}
    result = export(store, max_seconds=1.2, name="brief")
    assert result.version.manifest["counts"] == {"over_max_seconds": 2, "written": 2}
    assert "budget.parquet" not in result.version.manifest["files"]
    check_accounts(store)


def test_clips_that_the_extractor_cuts_are_told_and_left_out_on_request(store: Path) -> None:
    lost = "1 row has a clip of more than 30 s, of which qwen2-audio hears only the first 30 s: 1.3 s are lost"
    heard = {"where": "modality = 'audio'"}
    for result in (export(store, name="heard", **heard), export(store, name="cut", model="qwen2-audio", **heard)):
        assert any(lost in warning for warning in result.warnings)
    assert not any("30 s" in warning for warning in export(store, name="omni", model="qwen3-omni").warnings)
    result = export(store, model="qwen2-audio", long="reject", name="whole")
    counts = {"longer_than_30_s": 1, "model_takes_no_pictures": 1, "written": 2}
    assert result.version.manifest["counts"] == counts


def test_samples_are_chosen_and_queried_by_their_budget(store: Path) -> None:
    where = "budget.qwen2_audio.audio_tokens BETWEEN 20 AND 30"
    assert export(store, where=where, name="chosen").version.manifest["counts"] == {"filtered": 3, "written": 1}
    found = triptych.query("SELECT id, seconds, qwen3_omni.audio_tokens AS n FROM budgets ORDER BY id", store=store)
    assert found.to_pylist() == [
        {"id": "x/all/film", "seconds": 0.5, "n": None},  # no header says how long the sound in a video is
        {"id": "x/all/long", "seconds": LONG_S, "n": 407},
        {"id": "x/all/short", "seconds": 1.0, "n": 13},
        {"id": "x/all/span", "seconds": 1.5, "n": 20},
    ]


def test_without_the_vocabulary_media_are_counted_and_texts_are_not_guessed(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("triptych.shards.budgets.text.VOCABULARY", ("no_such_package", "qwen.tiktoken"))
    result = export(store, model="qwen3-omni", name="untold")
    assert {row["tokens"] for row in budget(result.version).values()} == {None}
    assert budget(result.version)["short"]["audio_tokens"] == 13
    assert any('pip install "triptych[budgets]"' in warning for warning in result.warnings)
    with pytest.raises(UsageError, match="is in no_such_package, which is not installed"):
        export(store, model="qwen3-omni", max_tokens=100, name="untold")


def test_a_version_is_made_again_with_its_budget(store: Path) -> None:
    version = export(store, model="qwen2.5-omni", max_tokens=100, name="limited").version
    file = version.path / "budget.parquet"
    was = file.read_bytes()
    file.unlink()
    assert cli("exports", "rebuild", version.reference, "--store", store).returncode == 0
    assert file.read_bytes() == was


def test_a_copy_of_a_version_has_its_budget(store: Path, tmp_path: Path) -> None:
    version = export(store, model="qwen3-omni", name="omni").version
    copy = triptych.exports.relocate(version.reference, media_root="/elsewhere", store=store)
    assert (copy.path / "budget.parquet").read_bytes() == (version.path / "budget.parquet").read_bytes()


def test_a_text_beside_tools_is_not_counted_and_such_rows_are_refused(tmp_path: Path) -> None:
    folder = tmp_path / "tools"
    folder.mkdir()
    rows = [
        {"id": "plain", "audio": str(sound(folder / "a.flac", noise(0.1))), "text": "one"},
        {"id": "tools", "audio": str(sound(folder / "b.flac", noise(0.1, seed=1))), "text": "two",
         "tools": '[{"type": "function"}]'},
    ]  # fmt: skip
    made = bring_in(folder / "store", "x", rows, folder)
    found = budget(export(made, model="qwen2-audio").version)
    assert found["tools"]["text_tokens"] is None and found["plain"]["text_tokens"] > 0
    counted = export(made, model="qwen2-audio", max_tokens=1000).version.manifest["counts"]
    assert counted == {"unknown_tokens": 1, "written": 1}
    [event] = select(made, "SELECT candidate, reason FROM events WHERE stage = 'export'")
    assert event == {"candidate": "x/all/tools", "reason": "unknown_tokens"}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("msswift --task sft --max-tokens 5", "--max-tokens needs a model"),
        ("msswift --task sft --long reject", "--long needs a model"),
        ("unified --model qwen2-audio --max-tokens 5", "the view 'unified' has none"),
        ("msswift --task sft --model whisper", "qwen2-audio"),
        ("msswift --task sft --model qwen2-audio --tokenizer /nowhere", "there is no such file"),
        ("msswift --task sft --max-seconds 0", "0"),
    ],
)
def test_limits_that_cannot_be_counted_are_refused(store: Path, arguments: str, said: str) -> None:
    result = cli("export", *arguments.split(), "--store", store)
    assert result.returncode == 2 and said in result.stderr
