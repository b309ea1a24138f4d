"""Corpora as their users have them on disk: with files beside them, and from any of their folders."""

from __future__ import annotations

from pathlib import Path

from support.natives import csv_bytes, encoded, pulled, reasons, unpacked


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
