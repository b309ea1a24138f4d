"""Pulls of speech beside the recipes of torchaudio, SpeechBrain, ESPnet and others; `Corpus` says how they compare."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.natives import csv_bytes, lines
from support.pulls import extra
from support.recipe_corpora import FLAC, SECONDS, VIDEO, WAV, Corpus, check, name_of

CORPORA: dict[str, Corpus] = {}

CORPORA["librispeech"] = Corpus(
    "torchaudio, src/torchaudio/datasets/librispeech.py",
    {
        "LibriSpeech/dev-clean/84/121123/84-121123.trans.txt": lines(
            "84-121123-0000 GO DO YOU HEAR", "84-121123-0001 BUT IN LESS THAN FIVE"
        ),
        "LibriSpeech/dev-clean/84/121123/84-121123-0000.flac": FLAC,
        "LibriSpeech/dev-clean/84/121123/84-121123-0001.flac": FLAC,
        "LibriSpeech/train-other-500/1006/135212/1006-135212.trans.txt": lines("1006-135212-0000 AH"),
        "LibriSpeech/train-other-500/1006/135212/1006-135212-0000.flac": FLAC,
    },
    {
        "84-121123-0000": ("dev-clean", "GO DO YOU HEAR", 84, 121123, SECONDS),
        "84-121123-0001": ("dev-clean", "BUT IN LESS THAN FIVE", 84, 121123, SECONDS),
        "1006-135212-0000": ("train-other-500", "AH", 1006, 135212, SECONDS),
    },
    lambda row: (
        name_of(row),
        (row["split"], row["text"], int(row["speaker"]), int(name_of(row).split("-")[1]), row["audio"]["duration"]),
    ),
)


CORPORA["ljspeech"] = Corpus(
    "torchaudio, src/torchaudio/datasets/ljspeech.py",
    {
        "LJSpeech-1.1/metadata.csv": lines(
            'LJ001-0001|the "Bible" of 1455, he said "so,|the "Bible" of fourteen fifty-five, he said "so,',
            "LJ001-0002|in being|in being",
        ),
        **{f"LJSpeech-1.1/wavs/LJ001-000{n}.wav": WAV for n in (1, 2)},
    },
    {
        "LJ001-0001": (
            'the "Bible" of 1455, he said "so,',
            'the "Bible" of fourteen fifty-five, he said "so,',
            SECONDS,
        ),
        "LJ001-0002": ("in being", "in being", SECONDS),
    },
    lambda row: (name_of(row), (extra(row)["transcription"], row["text"], row["audio"]["duration"])),
)


DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
CORPORA["fsdd"] = Corpus(
    "free-spoken-digit-dataset, utils/fsdd.py and utils/train-test-split.py",
    {f"recordings/{name}.wav": WAV for name in ("7_jackson_4", "7_jackson_5", "0_theo_0", "9_yweweler_49")},
    {
        "7_jackson_4": ("testing", "7", "jackson", SECONDS),
        "7_jackson_5": ("training", "7", "jackson", SECONDS),
        "0_theo_0": ("testing", "0", "theo", SECONDS),
        "9_yweweler_49": ("training", "9", "yweweler", SECONDS),
    },
    lambda row: (
        name_of(row),
        (
            {"train": "training", "test": "testing"}[row["split"]],
            str(DIGITS.index(row["labels"][0])),
            row["speaker"],
            row["audio"]["duration"],
        ),
    ),
)


COVOST = csv_bytes(
    [
        ("path", "translation", "split"),
        ("common_voice_en_1.mp3", 'Er sagte \\"nein\\" zu mir', "train"),
        ("common_voice_en_2.mp3", "Ein Satz der neuen Teilung", "train_covost"),
        ("common_voice_en_3.mp3", "Guten Tag", "dev"),
        ("common_voice_en_4.mp3", "Noch ein Satz", "test"),
        ("common_voice_en_5.mp3", "Nur in der alten Teilung", "dev_covost"),
        ("common_voice_en_9.mp3", "Nicht mehr in Common Voice", "test"),
    ],
    delimiter="\t",
).replace(b'"Er sagte \\""nein\\"" zu mir"', b'Er sagte \\"nein\\" zu mir')
COMMON_VOICE = lines(
    "client_id\tpath\tsentence\tup_votes\tdown_votes\tage\tgender\taccent",
    'a1\tcommon_voice_en_1.mp3\tHe said \\"no\\" to me\t2\t0\t\t\t',
    "b2\tcommon_voice_en_2.mp3\tA sentence of the new split\t2\t0\t\t\t",
    "b2\tcommon_voice_en_3.mp3\tGood day\t2\t0\t\t\t",
    "c3\tcommon_voice_en_4.mp3\tOne more sentence\t2\t0\t\t\t",
    "c3\tcommon_voice_en_5.mp3\tOnly in the old split\t2\t0\t\t\t",
    "c3\tcommon_voice_en_8.mp3\tNot in the tables\t2\t0\t\t\t",
)
CORPORA["covost2"] = Corpus(
    "covost, get_covost_splits.py",
    {
        "covost_v2.en_de.tsv": COVOST,
        "en/validated.tsv": COMMON_VOICE,
        **{f"en/clips/common_voice_en_{n}.mp3": WAV for n in (1, 2, 3, 4, 5, 8)},
    },
    {
        "common_voice_en_1": ("train", 'He said "no" to me', 'Er sagte "nein" zu mir', "a1"),
        "common_voice_en_2": ("train", "A sentence of the new split", "Ein Satz der neuen Teilung", "b2"),
        "common_voice_en_3": ("dev", "Good day", "Guten Tag", "b2"),
        "common_voice_en_4": ("test", "One more sentence", "Noch ein Satz", "c3"),
    },
    lambda row: (
        name_of(row),
        (
            {"validation": "dev"}.get(row["split"], row["split"]),
            row["text"],
            row["translation"],
            row["speaker"],
        ),
    ),
    {"config": "en_de"},
    {"common_voice_en_9": "no_transcript"},
)


def talk(words: str) -> bytes:
    return lines(f"Text:  {words}", "Conf:  4", "", "WORD START END ASDSCORE", f"{words.split()[0]} 0.10 0.25 5.6")


CORPORA["lrs2"] = Corpus(
    "ESPnet, egs2/lrs2/lipreading1/local/data.sh",
    {
        "mvlrs_v1/train.txt": lines("5535415699068794046/00001"),
        "mvlrs_v1/val.txt": lines("6330311066473698535/00011"),
        "mvlrs_v1/test.txt": lines("6330311066473698535/00018 NF"),
        **{f"mvlrs_v1/main/{name}.mp4": VIDEO
           for name in ("5535415699068794046/00001", "6330311066473698535/00011", "6330311066473698535/00018")},
        "mvlrs_v1/main/5535415699068794046/00001.txt": talk("WHEN YOU'RE COOKING CHIPS"),
        "mvlrs_v1/main/6330311066473698535/00011.txt": talk("I MEAN"),
        "mvlrs_v1/main/6330311066473698535/00018.txt": talk("AND THEN"),
    },
    {
        "5535415699068794046_00001": ("train", "WHEN YOU'RE COOKING CHIPS"),
        "6330311066473698535_00011": ("val", "I MEAN"),
        "6330311066473698535_00018": ("test", "AND THEN"),
    },
    lambda row: (name_of(row).replace("/", "_"), (row["split"], row["text"])),
)  # fmt: skip


CORPORA["lrs3"] = Corpus(
    "ESPnet, egs2/lrs3/avsr1/local/data_prep.py",
    {
        **{f"{name}.mp4": VIDEO for name in ("trainval/0af00UcTOSc/50001", "test/n706Sqp20Mk/50005")},
        "trainval/0af00UcTOSc/50001.txt": talk("WHAT IF I TOLD YOU"),
        "test/n706Sqp20Mk/50005.txt": talk("THANK YOU {LG}"),
    },
    {
        "0af00UcTOSc_50001": ("trainval", "WHAT IF I TOLD YOU", "0af00UcTOSc"),
        "n706Sqp20Mk_50005": ("test", "THANK YOU", "n706Sqp20Mk"),
    },
    lambda row: (
        name_of(row).replace("/", "_"),
        (row["split"], row["text"].replace("{LG}", "").strip(), row["speaker"]),
    ),
)


@pytest.mark.parametrize("name", CORPORA)
def test_a_pull_gives_what_the_recipe_gives(name: str, tmp_path: Path) -> None:
    check(name, CORPORA[name], tmp_path)
