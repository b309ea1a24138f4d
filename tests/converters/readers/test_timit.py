"""TIMIT in its native layout: words and phones in seconds, whatever the case and endings of a copy's names."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.raws import Stream, read, reasons, tree
from triptych.converters.readers.corpora.timit import CORE_TEST, DEV

HOME = "TRAIN/DR1/FCJF0"
TEXT = "0 46797 She had your dark suit in greasy wash water all year.\n"
WORDS = "3050 5723 she\n5723 10337 had\n"
PHONES = "0 3050 h#\n3050 4559 sh\n"


def test_an_utterance_has_its_text_speaker_words_and_phones() -> None:
    files = {f"{HOME}/SA1.PHN": PHONES, f"{HOME}/SA1.TXT": TEXT, f"{HOME}/SA1.WAV": b"W", f"{HOME}/SA1.WRD": WORDS}
    [candidate], rejections = read("timit", Stream(files))
    assert rejections == []
    assert (candidate.source_id, candidate.split, candidate.media[0][0]) == ("FCJF0_SA1", "train", "audio")
    assert candidate.media[0][1].data == b"W"
    fields = candidate.fields
    assert fields["text"] == "She had your dark suit in greasy wash water all year."
    assert fields["speaker"] == "FCJF0"
    assert fields["words"] == [
        {"text": "she", "start_s": 0.190625, "end_s": 0.3576875},
        {"text": "had", "start_s": 0.3576875, "end_s": 0.6460625},
    ]
    assert fields["phones"][0] == {"text": "h#", "start_s": 0.0, "end_s": 0.190625}
    assert fields["extra"] == {"dialect": "DR1", "gender": "female", "sentence_type": "dialect", "utterance": "SA1"}


def test_names_in_lower_case_and_doubled_endings_are_read_alike() -> None:
    home = "data/test/dr8/mjth0"
    files = Stream({f"{home}/sx396.wav.wav": b"W", f"{home}/sx396.txt": "0 100 Some text.", "data/readme.doc": b"x"})
    [candidate], rejections = read("timit", files)
    assert (candidate.source_id, candidate.split, rejections) == ("MJTH0_SX396", "test", [])
    assert candidate.fields["extra"]["gender"] == "male"
    assert "data/readme.doc" not in files.opened


def test_what_lacks_its_other_half_or_is_malformed_is_rejected() -> None:
    files = Stream(
        {
            f"{HOME}/SA1.WAV": b"W",
            f"{HOME}/SI648.TXT": TEXT,
            f"{HOME}/SX37.TXT": TEXT,
            f"{HOME}/SX37.WAV": b"W",
            f"{HOME}/SX37.WRD": "10 she\n",
        }
    )
    candidates, rejections = read("timit", files)
    assert candidates == []
    assert sorted(reasons(rejections)) == [
        ("FCJF0_SA1", "no_transcript"), ("FCJF0_SI648", "no_media"), ("FCJF0_SX37", "bad_transcript"),
    ]  # fmt: skip
    assert "SX37.WRD:1" in next(item.detail for item in rejections if item.reason == "bad_transcript")


def test_other_splits_and_other_ids_are_not_opened() -> None:
    files = Stream(
        {
            f"{HOME}/SA1.WAV": b"W",
            f"{HOME}/SA1.TXT": TEXT,
            "TEST/DR1/FAKS0/SA1.WAV": b"W",
            "TEST/DR1/FAKS0/SA1.TXT": TEXT,
            "TEST/DR1/FAKS0/SA2.WAV": b"W",
        }
    )
    wanted = {"wants": lambda split: split == "dev", "chosen": lambda identity, config, split: identity == "FAKS0_SA1"}
    candidates, _ = read("timit", files, **wanted)
    assert [c.source_id for c in candidates] == ["FAKS0_SA1"]
    assert files.opened == ["TEST/DR1/FAKS0/SA1.WAV", "TEST/DR1/FAKS0/SA1.TXT"]


def test_speakers_of_the_test_folder_are_the_core_test_the_dev_set_or_the_rest() -> None:
    """24 and 50 speakers, none of them in both; SA sentences are left out where the card says so."""
    assert (len(CORE_TEST), len(DEV), CORE_TEST & DEV) == (24, 50, set())
    names = {"TEST/DR1/MDAB0": "core-test", "TEST/DR1/FAKS0": "dev", "TEST/DR2/MABW0": "test", HOME: "train"}
    files = {f"{home}/{name}": data for home in names for name, data in (
        ("SA1.WAV", b"W"), ("SA1.TXT", TEXT), ("SX1.WAV", b"W"), ("SX1.TXT", TEXT))}  # fmt: skip
    candidates, rejections = read("timit", Stream(files), options={"sa": False})
    assert {c.source_id: c.split for c in candidates} == {f"{h[-5:]}_SX1": split for h, split in names.items()}
    assert sorted(reasons(rejections)) == sorted((f"{home[-5:]}_SA1", "sa_sentence") for home in names)


@pytest.mark.shared
def test_the_public_utterance_of_the_corpus(shared: Path) -> None:
    [candidate], rejections = read("timit", tree(shared / "media/timit_ldc93s1"))
    assert rejections == []
    assert (candidate.source_id, candidate.fields["text"]) == (
        "FCJF0_SA1", "She had your dark suit in greasy wash water all year.",
    )  # fmt: skip
    assert len(candidate.fields["words"]) == 11
    assert candidate.fields["words"][0]["text"] == "she"
    assert candidate.fields["words"][-1]["text"] == "year"
    assert 0 < candidate.fields["words"][0]["start_s"] < candidate.fields["words"][-1]["end_s"] < 46797 / 16000
