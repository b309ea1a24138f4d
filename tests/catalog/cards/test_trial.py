"""Corpora as their users have them on disk: with files beside them, and from any of their folders."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import triptych
from support.natives import csv_bytes, encoded, on_hub, packed, parquet, unpacked
from support.pulls import pulled, reasons, rows_of
from support.sounds import write_card
from support.stores import cli, select
from triptych.errors import DamagedError, UsageError


def sounds(*names: str) -> dict[str, bytes]:
    """A short sound for each of these files, all different."""
    return {name: encoded(seed, "wav", seconds=0.2) for seed, name in enumerate(names)}


def test_clotho_aqa_unpacked_with_its_metadata(tmp_path: Path) -> None:
    header = ("file_name", "QuestionText", "answer", "confidence")
    tree = unpacked(tmp_path / "tree", {
        "clotho_aqa_train.csv": csv_bytes([header, ("a.wav", "Is it raining?", "yes", "yes")]),
        "clotho_aqa_test.csv": csv_bytes([header, ("b.wav", "What barks?", "dog ", "maybe")]),
        "clotho_aqa_metadata.csv": csv_bytes([("file_name", "keywords", "license"), ("a.wav", "rain", "CC0")]),
        **sounds("audio_files/a.wav", "audio_files/b.wav"),
    })  # fmt: skip
    found = pulled("clotho_aqa", tmp_path / "store", from_path=tree)
    answers = {name: row["answer"] for name, row in found.items()}
    assert answers == {
        "answers/train/a_0": "yes",
        "answers/test/b_0": "dog",
    }
    assert reasons(tmp_path / "store") == {}


def test_a_table_whose_name_says_no_split_of_the_corpus_is_not_one_of_its_tables(tmp_path: Path) -> None:
    header = ("audiocap_id", "youtube_id", "start_time", "caption")
    tree = unpacked(tmp_path / "tree", {
        "train.csv": csv_bytes([header, (1, "aaaaaaaaaaa", 30, "Rain falls")]),
        "notes.csv": csv_bytes([("whatever",), ("is here",)]),
        **sounds("aaaaaaaaaaa_30.wav"),
    })  # fmt: skip
    found = pulled("audiocaps", tmp_path / "store", from_path=tree)
    assert [row["split"] for row in found.values()] == ["train"]
    assert reasons(tmp_path / "store") == {"notes.csv": "unknown_split"}
    assert len(pulled("audiocaps", tmp_path / "train", from_path=tree, split="train")) == 1
    assert reasons(tmp_path / "train") == {}


def test_of_several_configurations_in_a_folder_the_others_are_named_and_not_rejected(tmp_path: Path) -> None:
    files = {}
    for config in ("en_us", "de_de"):
        row = (1, f"{config}.wav", "Hello.", "hello", "h e l l o", 3200, "FEMALE")
        files[f"data/{config}/test.tsv"] = csv_bytes([row], delimiter="\t")
        files |= sounds(f"data/{config}/audio/test/{config}.wav")
    tree = unpacked(tmp_path / "tree", files)
    store = tmp_path / "store"
    result = triptych.pull("fleurs", store=store, from_path=tree)
    assert set(rows_of("fleurs", store)) == {"en_us/test/en_us"} and reasons(store) == {}
    assert result.notices == ["the files have other configurations, too (--config): de_de"]
    assert triptych.pull("fleurs", store=store, from_path=tree, config=["en_us", "de_de"]).notices == []
    assert set(rows_of("fleurs", store)) == {"en_us/test/en_us", "de_de/test/de_de"}


def test_of_a_folder_without_the_default_configuration_the_one_that_it_has_is_named(tmp_path: Path) -> None:
    row = {"source_dataset": "Clotho", "id": 1, "audio_path": "Clotho/a.wav", "question_type": "sound",
           "question": "What?", "choices": ["rain", "wind"], "answer": "rain"}  # fmt: skip
    asked = unpacked(tmp_path / "asked", {"datasets/all.json": json.dumps([row]).encode(), **sounds("Clotho/a.wav")})
    heard = unpacked(tmp_path / "heard", sounds("aac/id00012/21Uxsk56VDQ/00001.m4a"))
    for name, tree, config in (("audiomcq", asked, "full"), ("voxceleb", heard, "vox2")):
        with pytest.raises(UsageError, match=f"but of others: {config}") as told:
            triptych.pull(name, store=tmp_path / "store", from_path=tree)
        assert told.value.hint == f"triptych catalog pull {name} --config {config} --from {tree}"
    assert len(pulled("audiomcq", tmp_path / "store", from_path=asked, config="full")) == 1


def test_rows_without_media_that_a_card_lets_pass_are_told(tmp_path: Path) -> None:
    tree = unpacked(tmp_path / "tree", {
        "annotations/eval/segments": b"AMI_E_H00_A_1_2 AMI_E_H00 0 0.1\nAMI_F_H00_A_1_2 AMI_F_H00 0 0.1\n",
        "annotations/eval/text": b"AMI_E_H00_A_1_2 HERE\nAMI_F_H00_A_1_2 ABSENT\n",
        **sounds("E/audio/E.Headset-0.wav", "E/audio/E.Headset-1.wav"),
    })  # fmt: skip
    result = triptych.pull("ami", store=tmp_path / "store", from_path=tree)
    assert result.account.kept == 1
    assert result.notices[:2] == [
        "ami: 1 media file without a row was skipped", "ami: 1 row without media was skipped"
    ]  # fmt: skip


def test_a_release_has_the_same_ids_from_its_folder_from_one_above_and_from_one_inside(tmp_path: Path) -> None:
    header = ("client_id", "path", "sentence")
    releases = ("cv-corpus-4-2019-12-10", "cv-corpus-17.0-2024-03-15")
    files = {}
    for release in releases:
        files[f"{release}/fr/test.tsv"] = csv_bytes([header, ("c", "a.mp3", f"Of {release}.")], delimiter="\t")
        files[f"{release}/fr/clips/a.mp3"] = encoded(len(release), "mp3", seconds=0.2)
    tree = unpacked(tmp_path / "tree", files)
    every = pulled("common_voice", tmp_path / "above", from_path=tree)
    assert {name: (row["text"], row["language"]) for name, row in every.items()} == {
        f"{release}/test/a": (f"Of {release}.", "fr") for release in releases
    }
    for store, inside in (("release", ""), ("language", "fr")):
        for release in releases:
            found = pulled("common_voice", tmp_path / store, from_path=tree / release / inside)
        assert {name: row["text"] for name, row in found.items()} == {name: row["text"] for name, row in every.items()}
        assert {row["language"] for row in found.values()} == {"fr"} and reasons(tmp_path / store) == {}


def test_a_folder_inside_the_corpus_and_sound_in_another_form_are_told(tmp_path: Path) -> None:
    below = "LibriSpeech/test-other/1/2"
    lines = b"1-2-0 HELLO\n1-2-1 AGAIN\n"
    tree = unpacked(tmp_path / "tree", {f"{below}/1-2.trans.txt": lines, f"{below}/1-2-0.flac": encoded(1, "flac")})
    for inside in ("test-other", "test-other/1"):
        with pytest.raises(UsageError, match="found no files of librispeech") as told:
            triptych.pull("librispeech", store=tmp_path / "none", from_path=tree / "LibriSpeech" / inside)
        assert told.value.hint is not None and told.value.hint.endswith(f": {tree / 'LibriSpeech'}")
    changed = unpacked(tmp_path / "changed", {f"{below}/1-2.trans.txt": lines, **sounds(f"{below}/1-2-0.wav")})
    with pytest.raises(UsageError, match=r"all 2 samples lack their media file.*/\{id\}\.flac; there are 1 \.wav"):
        triptych.pull("librispeech", store=tmp_path / "none", from_path=changed)
    assert set(pulled("librispeech", tmp_path / "store", from_path=tree)) == {"test-other/1-2-0"}


def test_a_snapshot_whose_file_names_say_no_split_is_told_the_names_on_the_card(tmp_path: Path) -> None:
    row = {"segment_id": "a", "speaker": "N/A", "text": "HELLO", "audio": {"bytes": encoded(1, "wav"), "path": "a.wav"}}
    parquet(tmp_path / "tree/xl/0000.parquet", [row])
    with pytest.raises(DamagedError, match=r"looked for it in the names of the files, xl/train-\*\.parquet, dev/"):
        triptych.pull("gigaspeech", store=tmp_path / "store", from_path=tmp_path / "tree")


def test_the_pull_that_show_prints_finds_a_card_of_the_users_own(tmp_path: Path) -> None:
    cards = write_card(tmp_path, "archive: [https://example.org/table.csv, https://example.org/a.zip]", name="mine")
    assert cli("catalog", "lint", cards).stdout == "1 card, 0 problems\n"
    shown = cli("catalog", "show", "mine", "--cards", cards).stdout
    assert shown.endswith(f"pull: triptych catalog pull mine --samples 100 --cards {cards}\n")


def test_sound_of_a_card_of_another_panel_is_of_the_panel_of_sound(tmp_path: Path) -> None:
    """Every sample of VoxCeleb 1, and of the hub copy of AudioSet, was rejected as `panel_mismatch`."""
    store, wav = tmp_path / "store", encoded(1, "wav", seconds=2.0)
    meta = [("VoxCeleb1 ID", "VGGFace1 ID", "Gender", "Nationality", "Set"), ("id1", "A", "m", "UK", "dev")]
    files = {"vox1_meta.csv": csv_bytes(meta, delimiter="\t"), "wav/id1/21Uxsk56VDQ/00001.wav": wav}
    pulled("voxceleb", store, from_path=unpacked(tmp_path / "tree", files))
    row = {"video_id": "a", "human_labels": ["Speech"], "audio": {"bytes": encoded(2, "wav", seconds=2.0), "path": "a"}}
    parquet(tmp_path / "snapshot/data/eval/0.parquet", [row])
    pulled("audioset", store, from_path=tmp_path / "snapshot")
    triptych.validate(store=store)
    found = select(store, "SELECT dataset, modality, panel, reasons FROM samples JOIN verdicts USING (id, dataset)")
    assert sorted((row["dataset"], row["modality"], row["panel"]) for row in found) == [
        ("audioset", "audio", "S1"), ("voxceleb", "audio", "S1")
    ]  # fmt: skip
    assert not any("panel_mismatch" in row["reasons"] for row in found)


def test_a_snapshot_of_a_hub_repository_has_more_than_parquet(tmp_path: Path) -> None:
    tree = unpacked(tmp_path / "tree", {"README.md": b"# AudioSet", "data/eval/notes.txt": b"x"})
    row = {"video_id": "a", "human_labels": ["Speech"], "audio": {"bytes": encoded(2, "wav"), "path": "a.wav"}}
    parquet(tree / "data/eval/0.parquet", [row])
    assert set(pulled("audioset", tmp_path / "store", from_path=tree)) == {"eval/a"}
    assert reasons(tmp_path / "store") == {}
    (tree / "data/eval/0.parquet").unlink()
    with pytest.raises(UsageError, match="found no files of audioset"):
        triptych.pull("audioset", store=tmp_path / "none", from_path=tree, source="hub")


def test_downloaded_archives_give_the_ids_that_the_hub_gives(tmp_path: Path) -> None:
    said = json.dumps({"text": "Hello.", "speaker": "EN_B0_S0", "language": "en", "duration": 0.3}).encode()
    members = {"EN_B0_S0_W0.json": said, "EN_B0_S0_W0.mp3": encoded(1, "mp3")}
    mirror = tmp_path / "mirror"
    packed(on_hub(mirror, "amphion/Emilia-Dataset", "Emilia/EN/EN-B000000.tar"), members)
    packed(tmp_path / "snapshot/Emilia/EN/EN-B000000.tar", members)
    fetched = pulled("emilia", tmp_path / "fetched", mirror=str(mirror))
    assert set(fetched) == {"en/train/EN_B0_S0_W0"}
    assert set(pulled("emilia", tmp_path / "given", from_path=tmp_path / "snapshot")) == set(fetched)


def test_a_language_asked_for_as_a_configuration_is_chosen_by_its_column(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="has no configuration 'sv-SE'") as told:
        triptych.pull("common_voice", store=tmp_path / "store", from_path=tmp_path, config="sv-SE")
    assert told.value.hint == """samples by a column: --where "language = 'sv-SE'\""""
