"""Folders of careless but honest users: what cannot be told apart is refused by name, never guessed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import triptych
from support.natives import csv_bytes, encoded, films, parquet, tsv, unpacked
from support.pulls import pulled, reasons, rows_of
from triptych.errors import DamagedError

Held = dict[str, tuple[Any, ...]]


@pytest.fixture(scope="module")
def wav() -> list[bytes]:
    return [encoded(seed, "wav", seconds=0.1) for seed in range(4)]


@pytest.fixture(scope="module")
def flac() -> list[bytes]:
    return [encoded(seed, "flac", seconds=0.1) for seed in range(4)]


@pytest.fixture(scope="module")
def clip() -> list[bytes]:
    return films(3)


def held(name: str, folder: Path, files: Mapping[str, bytes], *columns: str, **options: Any) -> Held:
    """What a pull from these files holds: id -> the row's first file, and these columns."""
    names = {hashlib.sha256(data).hexdigest(): name for name, data in reversed(files.items())}
    tree = unpacked(folder / "tree", files)
    rows = pulled(name, folder / "store", from_path=tree, **options)
    return {identity: (names[(row["audio"] or row["video"])["sha256"]], *(row[column] for column in columns))
            for identity, row in rows.items()}  # fmt: skip


# ---- splits


def test_a_folder_that_is_no_split_of_the_card_is_refused(tmp_path: Path, flac: list[bytes]) -> None:
    files = {
        "LibriSpeech/dev-clean/1/2/1-2-0000.flac": flac[0],
        "LibriSpeech/dev-clean/1/2/1-2.trans.txt": b"1-2-0000 ONE\n",
        "LibriSpeech/my-eval/3/4/3-4-0000.flac": flac[1],
        "LibriSpeech/my-eval/3/4/3-4.trans.txt": b"3-4-0000 TWO\n",
    }
    assert held("librispeech", tmp_path, files, "split") == {
        "dev-clean/1-2-0000": ("LibriSpeech/dev-clean/1/2/1-2-0000.flac", "dev-clean")
    }
    assert reasons(tmp_path / "store") == {"3-4-0000": "unknown_split"}
    only = {name: data for name, data in files.items() if "my-eval" in name}
    with pytest.raises(DamagedError, match="the only sample is of a split that the card does not have"):
        held("librispeech", tmp_path / "only", only)


def test_an_utterance_of_the_test_set_among_the_training_data_is_refused(tmp_path: Path, wav: list[bytes]) -> None:
    files = {
        "TIMIT/TRAIN/DR1/MDAB0/SI1.WAV": wav[0], "TIMIT/TRAIN/DR1/MDAB0/SI1.TXT": b"0 100 of a test speaker\n",
        "TIMIT/TRAIN/DR1/FCJF0/SI2.WAV": wav[1], "TIMIT/TRAIN/DR1/FCJF0/SI2.TXT": b"0 100 text\n",
    }  # fmt: skip
    assert set(held("timit", tmp_path, files)) == {"train/FCJF0_SI2"}
    assert reasons(tmp_path / "store") == {"MDAB0_SI1": "ambiguous_split"}


# ---- equal ids


def test_lines_of_one_id_belong_to_the_folder_of_their_file(tmp_path: Path, flac: list[bytes]) -> None:
    """Ids that repeat in another split, and a line that comes twice with different texts."""
    files = {
        "a/LibriSpeech/dev-clean/1/2/1-2-0000.flac": flac[0],
        "a/LibriSpeech/dev-clean/1/2/1-2-0001.flac": flac[1],
        "b/LibriSpeech/test-clean/1/2/1-2-0000.flac": flac[2],
        "b/LibriSpeech/test-clean/1/2/1-2.trans.txt": b"1-2-0000 OF TEST\n",
        "c/LibriSpeech/dev-clean/1/2/1-2.trans.txt": b"\xef\xbb\xbf1-2-0000 OF DEV\r\n1-2-0001 A\r\n1-2-0001 B\r\n",
    }
    assert held("librispeech", tmp_path, files, "text") == {
        "dev-clean/1-2-0000": ("a/LibriSpeech/dev-clean/1/2/1-2-0000.flac", "OF DEV"),
        "test-clean/1-2-0000": ("b/LibriSpeech/test-clean/1/2/1-2-0000.flac", "OF TEST"),
    }
    assert reasons(tmp_path / "store") == {"1-2-0001": "ambiguous_transcript"}


def test_two_files_of_one_id_that_wait_for_a_line(tmp_path: Path, wav: list[bytes]) -> None:
    """The transcript comes last: of equal files the first is taken, of different ones none."""
    files = {
        "data_aishell/a/train/S1/U1.wav": wav[0], "data_aishell/b/train/S2/U1.wav": wav[1],
        "data_aishell/a/train/S1/U2.wav": wav[2], "data_aishell/b/train/S1/U2.wav": wav[2],
        "data_aishell/transcript/aishell_transcript_v0.8.txt": "U1 你 好\nU2 再 见\n".encode(),
    }  # fmt: skip
    assert held("aishell1", tmp_path, files, "text") == {"train/U2": ("data_aishell/a/train/S1/U2.wav", "再见")}
    assert reasons(tmp_path / "store") == {"U1": "ambiguous_media", "U2": "duplicate_media"}


def test_two_versions_of_a_transcript_that_differ(tmp_path: Path, wav: list[bytes]) -> None:
    files = {
        "data_aishell/transcript/aishell_transcript_v0.8.txt": "U1 你 好\nU2 再 见\n".encode(),
        "data_aishell/transcript/aishell_transcript_v0.9.txt": "U1 不 同\nU2 再 见\n".encode(),
        "data_aishell/wav/train/S1/U1.wav": wav[0],
        "data_aishell/wav/train/S1/U2.wav": wav[1],
    }
    assert set(held("aishell1", tmp_path, files)) == {"train/U2"}
    assert reasons(tmp_path / "store") == {"U1": "ambiguous_transcript"}


def wavcaps(*rows: tuple[str, str]) -> bytes:
    return json.dumps({"data": [{"id": identity, "caption": caption} for identity, caption in rows]}).encode()


def test_equal_numbers_of_sub_corpora_do_not_meet(tmp_path: Path, flac: list[bytes]) -> None:
    """The tables of WavCaps in one folder: a sound belongs to the subset that its folder is named for."""
    files = {
        "json/sb_final.json": wavcaps(("123", "A dog."), ("5", "A bell.")),
        "json/fsd_final.json": wavcaps(("123", "Rain."), ("7", "Wind.")),
        "audio/FreeSound_flac/123.flac": flac[0],
        "audio/SoundBible_flac/123.flac": flac[1],
        "audio/FreeSound_flac/5.flac": flac[2],
    }
    assert held("wavcaps", tmp_path, files, "text", config=["SoundBible", "FreeSound"]) == {
        "FreeSound/train/123": ("audio/FreeSound_flac/123.flac", "Rain."),
        "SoundBible/train/123": ("audio/SoundBible_flac/123.flac", "A dog."),
    }
    assert reasons(tmp_path / "store") == {"5": "no_media", "7": "no_media"}


# ---- two corpora in one folder


def esc50(*names: str) -> bytes:
    rows = [(f"{name}.wav", "1", "0", "dog", "True", "1", "A") for name in names]
    return csv_bytes([("filename", "fold", "target", "category", "esc10", "src_file", "take"), *rows])


def test_different_media_of_one_name_is_refused_and_a_copy_is_not(tmp_path: Path, wav: list[bytes]) -> None:
    files = {
        "ESC-50-master/audio/1-1-A-0.wav": wav[0], "copy/audio/1-1-A-0.wav": wav[0],
        "ESC-50-master/audio/1-2-A-0.wav": wav[1], "another/audio/1-2-A-0.wav": wav[2],
        "ESC-50-master/audio/1-3-A-0.wav": wav[3], "another/1-3-A-0.wav": wav[2],
        "ESC-50-master/meta/esc50.csv": esc50("1-1-A-0", "1-2-A-0", "1-3-A-0"),
    }  # fmt: skip
    assert set(held("esc50", tmp_path, files)) == {"fold1/1-1-A-0", "fold1/1-3-A-0"}
    found = reasons(tmp_path / "store")
    assert found["1-2-A-0"] == "ambiguous_media" and "1-1-A-0" not in found


def test_media_files_that_are_rows_of_their_own(tmp_path: Path, wav: list[bytes]) -> None:
    """A name that no split has, a digit that is none, and two files of one name."""
    files = {
        "recordings/0_jackson_7.wav": wav[0],
        "recordings/0_jackson_77.wav": wav[1],
        "recordings/11_jackson_8.wav": wav[1],
        "recordings/1_jackson_0.wav": wav[1],
        "old/recordings/1_jackson_0.wav": wav[2],
    }
    assert set(held("fsdd", tmp_path, files)) == {"train/0_jackson_7"}
    assert reasons(tmp_path / "store") == {
        "0_jackson_77.wav": "bad_value", "11_jackson_8.wav": "bad_value", "1_jackson_0": "ambiguous_media",
        "1_jackson_0.wav": "duplicate_media",
    }  # fmt: skip


def test_joined_rows_of_two_releases_that_differ(tmp_path: Path) -> None:
    """CoVoST 2 beside two releases of Common Voice: the sentence of the one is not put to the clip of the other."""
    clip = [encoded(seed, "mp3") for seed in range(3)]
    head = ("client_id", "path", "sentence")
    files = {
        "covost_v2.fr_en.tsv": tsv(
            ("path", "translation", "split"), ("a.mp3", "hello", "train"), ("b.mp3", "bye", "test")
        ),
        "cv-corpus-17/fr/validated.tsv": tsv(head, ("s", "a.mp3", "salut"), ("s", "b.mp3", "adieu")),
        "cv-corpus-4/fr/validated.tsv": tsv(head, ("s", "a.mp3", "bonjour"), ("s", "b.mp3", "adieu")),
        "cv-corpus-4/fr/clips/a.mp3": clip[0],
        "cv-corpus-4/fr/clips/b.mp3": clip[1],
    }
    assert held("covost2", tmp_path, files, "text", "translation", config="fr_en") == {
        "fr_en/test/b": ("cv-corpus-4/fr/clips/b.mp3", "adieu", "bye")
    }
    assert reasons(tmp_path / "store") == {"covost_v2.fr_en.tsv:2": "ambiguous_row"}


def test_captions_of_two_versions_of_a_table_are_not_put_together(tmp_path: Path, wav: list[bytes]) -> None:
    head = ("audiocap_id", "youtube_id", "start_time", "caption")
    files = {
        "dataset/val.csv": csv_bytes([head, ("1", "abc", "30", "Rain."), ("2", "abc", "30", "Rain falls.")]),
        "dataset2.0/val.csv": csv_bytes([head, ("1", "abc", "30", "Rain."), ("9", "abc", "30", "Hail.")]),
        "wav/abc_30.wav": wav[0],
    }
    assert held("audiocaps", tmp_path, files, "captions") == {
        "v1/val/abc_30": ("wav/abc_30.wav", ["Rain.", "Rain falls."])
    }
    assert reasons(tmp_path / "store") == {"abc_30": "duplicate_source_id"}


# ---- sound beside video


def test_a_row_takes_the_file_of_its_kind_where_both_are_there(
    tmp_path: Path, clip: list[bytes], wav: list[bytes]
) -> None:
    """Sound that was extracted from the clips of videos comes first in one folder, and last in the other."""
    sentence = {"caption": "A dog runs.", "video_id": "video0", "sen_id": 0}
    info = {"video_id": "video0", "category": 1, "split": "train", "start time": 0.0, "end time": 1.0}
    table = json.dumps({"videos": [info], "sentences": [sentence]}).encode()
    seen = {"MSRVTT_data.json": table, "audio/video0.wav": wav[0], "videos/video0.mp4": clip[0]}
    assert held("msrvtt", tmp_path / "seen", seen, "captions") == {
        "train/video0": ("videos/video0.mp4", ["A dog runs."])
    }
    heard = {
        "train.csv": csv_bytes([("audiocap_id", "youtube_id", "start_time", "caption"), ("1", "abc", "30", "Rain.")]),
        "clips/abc_30.mp4": clip[0],
        "clips/abc_30.wav": wav[0],
    }
    assert held("audiocaps", tmp_path / "heard", heard, "captions") == {
        "v1/train/abc_30": ("clips/abc_30.wav", ["Rain."])
    }


def test_ids_that_differ_by_case_alone(tmp_path: Path, clip: list[bytes]) -> None:
    """VATEX is matched whatever the case of file names: two ids of which each has its own file keep them."""
    rows = [{"videoID": f"{letter}bcdefghijk_000000_000010", "enCap": [letter], "chCap": []} for letter in "aAbB"]
    files = {
        "vatex_training_v1.0.json": json.dumps(rows).encode(),
        "videos/abcdefghijk_000000_000010.mp4": clip[0],
        "videos/Abcdefghijk_000000_000010.mp4": clip[1],
        "videos/bbcdefghijk_000000_000010.mp4": clip[2],
    }
    found = held("vatex", tmp_path, files, "captions")
    assert {identity.partition("/")[2][:1]: row for identity, row in found.items()} == {
        "a": ("videos/abcdefghijk_000000_000010.mp4", ["a"]),
        "A": ("videos/Abcdefghijk_000000_000010.mp4", ["A"]),
        "b": ("videos/bbcdefghijk_000000_000010.mp4", ["b"]),
    }
    assert reasons(tmp_path / "store") == {"Bbcdefghijk_000000_000010_en": "no_media"}


def test_a_recording_in_the_place_of_the_clip_that_a_table_labels(tmp_path: Path, wav: list[bytes]) -> None:
    files = {
        "class_labels_indices.csv": csv_bytes([("index", "mid", "display_name"), ("0", "/m/1", "Dog")]),
        "balanced_train_segments.csv": b"# a\n# b\n# YTID, start_seconds, end_seconds, positive_labels\n"
        b'abcdefghij1, 0.000, 1.000, "/m/1"\nabcdefghij2, 30.000, 31.000, "/m/1"\n',
        "clips/abcdefghij1.wav": wav[0],
        "clips/abcdefghij2.wav": encoded(9, "wav", seconds=4.0),
    }
    assert held("audioset", tmp_path, files, "labels") == {
        "balanced-train/abcdefghij1_0": ("clips/abcdefghij1.wav", ["Dog"])
    }
    assert reasons(tmp_path / "store") == {"abcdefghij2_30": "other_length"}


# ---- Parquet of several corpora in one folder


def test_a_foreign_file_and_an_older_copy_beside_those_that_the_card_names(tmp_path: Path, wav: list[bytes]) -> None:
    """A card with one split: what lies beside its own files is not of that split for having its columns."""
    subjects = dict.fromkeys(("category", "sub-category", "sub-sub-category", "linguistics_sub_discipline"), "x")

    def rows(identity: str, question: str) -> list[dict[str, Any]]:
        choices = {f"choice_{letter}": letter for letter in "abcd"}
        row = {"id": identity, "question": question, "answer_gt": "a", "task_name": "t", **choices, **subjects}
        return [{**row, "audio": {"bytes": wav[0], "path": "a.wav"}}]

    tree = tmp_path / "tree"
    parquet(tree / "data/test-0.parquet", rows("1", "Who speaks?"))
    parquet(tree / "older/data/test-0.parquet", rows("1", "Who spoke?"))
    parquet(tree / "train/x.parquet", rows("2", "Of another corpus?"))
    result = triptych.pull("mmsu", store=tmp_path / "store", from_path=tree, source="hub")
    assert [row["question"] for row in rows_of("mmsu", tmp_path / "store").values()] == ["Who speaks?"]
    assert reasons(tmp_path / "store") == {"2": "no_split", "1": "id_conflict"}
    assert any("data/test-0.parquet and older/data/test-0.parquet are the same file" in line for line in result.notices)
