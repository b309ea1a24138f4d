"""Versions of conversations: their files, media inside messages and texts, modes, loss, and how loaders read them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import triptych
from support.imported import bring_in, noise, read_lines, sound, table
from support.stores import cli
from triptych.shards.exports import versions as exports
from triptych.shards.exports.versions import media_paths


@pytest.fixture(scope="module")
def talks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Speech with a text, a conversation of two sounds with its loss, and a greeting that is answered."""
    folder = tmp_path_factory.mktemp("talks and more")
    one, two, three = (str(sound(folder / f"{n} ü.flac", noise(0.1, seed=n))) for n in range(3))
    bring_in(folder / "store", "read", [{"id": "a", "audio": one, "text": "Good day.", "task": "asr"}], folder)
    rows = [
        {"id": "b", "audios": [one, two], "messages": [
            {"role": "user", "content": "<audio>Who?"}, {"role": "assistant", "content": "Ann.", "loss": False},
            {"role": "user", "content": "And \"here\": <audio>"}, {"role": "assistant", "content": "Bob."}]},
        {"id": "c", "audios": [three], "messages": [
            {"role": "user", "content": "<audio>"}, {"role": "assistant", "content": "Hello!"}]},
    ]  # fmt: skip
    triptych.import_data("msswift", table(folder / "chats.jsonl", rows), name="chats", store=folder / "store")
    return folder / "store"


def export(store: Path, view: str, style: str, **options: Any) -> exports.Version:
    return triptych.export(view, style=style, store=store, **options).version


def rows_of(version: exports.Version) -> dict[str, dict[str, Any]]:
    return {row["id"].rpartition("/")[2]: row for row in read_lines(version.data)}


STYLES = [
    ("conversation", "inline", 1), ("messages", "openai", 3), ("messages", "hf", 3),
    *(pytest.param(*each, marks=pytest.mark.thorough) for each in (
        ("conversation", "qwen2-audio", 3), ("conversation", "sharegpt", 3), ("llamafactory", "sharegpt", 3),
        ("llamafactory", "alpaca", 3),
    )),
]  # fmt: skip


@pytest.mark.parametrize(("view", "style", "count"), STYLES)
def test_a_version_names_its_media_wherever_its_form_has_them(
    view: str, style: str, count: int, talks: Path, tmp_path: Path
) -> None:
    version = export(talks, view, style)
    assert version.manifest["rows"] == count
    named = media_paths(version)
    assert len(named) == (1 if style == "inline" else 3) and all(Path(path).is_file() for path in named)
    summary = triptych.validate_file(f"{view}-{style}", version.data)
    assert (summary.rows, summary.errors) == (count, 0), summary.examples

    moved = triptych.exports.relocate(version.reference, "/elsewhere & far", store=talks)
    assert media_paths(moved) == sorted(path.replace(str(talks), "/elsewhere & far") for path in named)
    assert str(talks) not in moved.data.read_text() and "file://" + str(talks) not in moved.data.read_text()
    packed = triptych.exports.pack(version.reference, tmp_path / "pack", store=talks)
    assert packed["media"]["files"] == len(named)
    summary = triptych.validate_file(f"{view}-{style}", tmp_path / "pack" / "data.jsonl")
    assert (summary.errors, summary.rows) == (0, count), summary.examples
    assert exports.verify(version) == []


def test_a_missing_sound_inside_a_message_is_found(talks: Path) -> None:
    version = export(talks, "messages", "hf", name="found")
    path = Path(media_paths(version)[0])
    away = path.rename(path.with_suffix(".away"))
    try:
        assert exports.verify(version) == [f"{path}: missing, but named in the export"]
    finally:
        away.rename(path)


def test_a_singular_column_holds_the_path_itself_unless_a_row_has_more(talks: Path) -> None:
    alone = export(talks, "conversation", "qwen2-audio", dataset="read", name="alone")
    assert isinstance(rows_of(alone)["a"]["audio"], str)
    assert isinstance(rows_of(export(talks, "conversation", "qwen2-audio"))["a"]["audio"], list)


def test_loss_is_written_where_the_form_has_a_place_and_counted_where_not(talks: Path) -> None:
    kept = export(talks, "conversation", "sharegpt")
    found = rows_of(kept)
    assert [turn.get("loss") for turn in found["b"]["conversations"]] == [None, False, None, None]
    assert all("loss" not in turn for turn in found["a"]["conversations"])
    assert "messages.loss" not in kept.manifest["left_out"]
    lost = triptych.export("llamafactory", style="sharegpt", store=talks)
    assert lost.left_out["messages.loss"] == 1 and any("messages.loss" in line for line in lost.warnings)


def test_a_manifest_says_how_many_rows_are_held_in_which_mode(talks: Path) -> None:
    every = export(talks, "conversation", "sharegpt")
    assert every.manifest["modes"] == {"analysis": 2, "voice-chat": 1}
    spoken = export(talks, "conversation", "sharegpt", mode="voice-chat", name="spoken")
    assert "modes" not in spoken.manifest and spoken.manifest["options"]["mode"] == "voice-chat"
    assert spoken.manifest["counts"] == {"not_voice_chat": 2, "written": 1}
    done = cli("export", "unified", "--mode", "analysis", "--store", str(talks))
    assert done.returncode == 2 and "--mode is for conversations" in done.stderr


def test_dataset_info_lists_every_column_and_the_command_trains_on_it(talks: Path) -> None:
    result = triptych.export("llamafactory", style="sharegpt", store=talks)
    info = json.loads((result.version.path / "dataset_info.json").read_text())
    assert info["triptych"]["columns"] == {"messages": "conversations", "audios": "audios"}
    assert info["triptych"]["tags"]["assistant_tag"] == "gpt" and info["triptych"]["file_name"] == "data.jsonl"
    assert "dataset_info.json" in result.version.manifest["files"]
    assert result.next_command is not None
    assert f"--dataset_dir '{result.version.path}'" in result.next_command
    assert "--template qwen2_audio " in result.next_command and "--stage sft " in result.next_command
    alpaca = export(talks, "llamafactory", "alpaca")
    info = json.loads((alpaca.path / "dataset_info.json").read_text())["triptych"]
    assert info["formatting"] == "alpaca" and "tags" not in info
    assert info["columns"] == {"prompt": "instruction", "query": "input", "response": "output", "history": "history",
                               "audios": "audios"}  # fmt: skip


def heard(messages: list[dict[str, Any]]) -> list[str]:
    """What Qwen2-Audio's template prints of contents: sound for every part that has the key, else its text."""
    parts = [part for message in messages for part in message["content"]]
    return ["<sound>" if "audio" in part or "audio_url" in part else part["text"] for part in parts]


def test_loaders_read_messages_without_null_keys_from_both_files(talks: Path, tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    version = export(talks, "messages", "hf")
    expected = {row["id"]: row["messages"] for row in read_lines(version.data)}
    asked = expected["chats/all/b"]
    assert heard(asked) == ["<sound>", "Who?", "Ann.", 'And "here": ', "<sound>", "Bob."]
    for made in (
        datasets.Dataset.from_parquet(str(version.path / "data.parquet"), cache_dir=str(tmp_path)),
        datasets.Dataset.from_json(str(version.data), cache_dir=str(tmp_path)),
    ):
        assert {row["id"]: row["messages"] for row in made} == expected


def test_our_own_readers_bring_the_rows_back(talks: Path, tmp_path: Path) -> None:
    for view, style, format in (
        ("conversation", "qwen2-audio", "conversation"), ("llamafactory", "alpaca", "alpaca"),
        ("messages", "hf", "conversation"), ("conversation", "inline", "conversation"),
    ):  # fmt: skip
        version = export(talks, view, style)
        done = triptych.import_data(format, version.data, name=style, store=tmp_path / "store")
        assert done.account.kept == version.manifest["rows"], (style, done.account)


def test_a_form_is_as_long_in_a_model_as_any_other_form_of_the_same_turns(talks: Path) -> None:
    import pyarrow.parquet as pq

    def budget(view: str, **options: Any) -> dict[str, dict[str, Any]]:
        version = triptych.export(
            view, store=talks, model="qwen2-audio", name="-".join(["long", view, *options.values()]), **options
        )
        rows = pq.read_table(version.version.path / "budget.parquet").to_pylist()
        return {row["id"]: {name: row[name] for name in ("seconds", "audio_tokens", "text_tokens")} for row in rows}

    expected = budget("msswift", task="sft")
    assert all(row["audio_tokens"] > 0 for row in expected.values())
    assert budget("messages", style="hf") == budget("messages", style="openai") == expected
    assert budget("conversation", style="sharegpt") == expected
    [(identity, row)] = budget("conversation", style="inline").items()
    assert row == expected[identity]


def test_a_pair_is_exported_for_ranking_and_as_two_rows_for_kto(tmp_path: Path) -> None:
    audio = str(sound(tmp_path / "p.flac", noise(0.1)))
    row = {"messages": [{"role": "user", "content": "<audio>Which?"}, {"role": "assistant", "content": "This."}],
           "audios": [audio], "rejected_response": "That.", "id": "p"}  # fmt: skip
    triptych.import_data("msswift", table(tmp_path / "pairs.jsonl", [row]), name="pairs", store=tmp_path / "store")
    made = triptych.export("llamafactory", style="ranking", store=tmp_path / "store")
    [written] = read_lines(made.version.data)
    assert (written["chosen"]["value"], written["rejected"]["value"]) == ("This.", "That.")
    assert written["conversations"] == [{"from": "human", "value": "<audio>Which?"}]
    assert json.loads((made.version.path / "dataset_info.json").read_text())["triptych"]["ranking"] is True
    assert made.next_command is not None and "--stage dpo " in made.next_command and made.left_out == {}

    liked = triptych.export("llamafactory", style="kto", store=tmp_path / "store")
    rows = list(read_lines(liked.version.data))
    assert {(row["conversations"][1]["value"], row["kto_tag"]) for row in rows} == {("This.", True), ("That.", False)}
    [info] = json.loads((liked.version.path / "dataset_info.json").read_text()).values()
    assert info["columns"]["kto_tag"] == "kto_tag" and info["columns"]["messages"] == "conversations"
    assert liked.version.name == "llamafactory-kto" and liked.version.manifest["options"]["task"] == "kto"
    assert liked.next_command is not None and "--stage kto " in liked.next_command and liked.left_out == {}


TEXTS = ("7", "007", '"Yes."', "null", "[laughs]", "Seven.")


@pytest.mark.parametrize("style", ["trl", pytest.param("openai", marks=pytest.mark.thorough)])
def test_datasets_reads_answers_that_are_json_as_they_are(style: str, tmp_path: Path) -> None:
    from datasets import load_dataset

    clip = str(sound(tmp_path / "a.wav", noise(0.1)))
    rows = [
        {"id": f"{kind}{number}", "question": "How many?", "answer": text, "task": "qa", "split": "train",
         **({"audio": clip} if kind == "heard" else {"modality": "text"})}
        for kind in ("read", "heard") for number, text in enumerate(TEXTS)
    ]  # fmt: skip
    store = bring_in(tmp_path / "store", "mixed", rows, tmp_path)
    task = {"task": "sft"} if style == "trl" else {}
    for where, is_mixed in (({}, True), ({"where": "modality = 'text'"}, False)):
        version = export(store, "messages", style, **task, **where)
        loaded = load_dataset(
            "json", data_files=str(version.data), split="train", cache_dir=str(tmp_path / f"{is_mixed}")
        )
        answers = [(row["id"].rpartition("/")[2], row["messages"][-1]["content"]) for row in loaded]
        assert {name: said if isinstance(said, str) else said[0]["text"] for name, said in answers} == {
            row["id"]: row["answer"] for row in rows if is_mixed or "audio" not in row
        }
        parts = {said[0]["text"] for _, said in answers if not isinstance(said, str)}
        assert parts == (set(TEXTS) - {"Seven."} if is_mixed else set())
        assert triptych.validate_file(f"messages-{style}", version.data).counts.get("json_text", 0) == 0
