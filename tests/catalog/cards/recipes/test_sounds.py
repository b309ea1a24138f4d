"""Pulls of sounds beside the recipes of aac-datasets and others; `Corpus` says how they compare."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from support.natives import csv_bytes, encoded, lines
from support.pulls import extra
from support.recipe_corpora import FLAC, SECONDS, WAV, Corpus, check, name_of

CORPORA: dict[str, Corpus] = {}

CORPORA["esc50"] = Corpus(
    "speechbrain, recipes/ESC50/esc50_prepare.py",
    {
        "ESC-50-master/meta/esc50.csv": lines(
            "filename,fold,target,category,esc10,src_file,take",
            "1-100032-A-0.wav,1,0,dog,True,100032,A",
            "4-102844-C-49.wav,4,49,hand_saw,False,102844,C",
            "5-103415-A-2.wav,5,2,pig,False,103415,A",
        ),
        **{f"ESC-50-master/audio/{name}.wav": WAV for name in ("1-100032-A-0", "4-102844-C-49", "5-103415-A-2")},
    },
    {
        "1-100032-A-0": (1, 0, "dog", SECONDS),
        "4-102844-C-49": (4, 49, "hand_saw", SECONDS),
        "5-103415-A-2": (5, 2, "pig", SECONDS),
    },
    lambda row: (
        name_of(row),
        (
            int(row["split"].removeprefix("fold")),
            int(extra(row)["target"]),
            row["labels"][0],
            row["audio"]["duration"],
        ),
    ),
)


CAPTIONS = [f"caption_{n}" for n in range(1, 6)]
CLOTHO_SOUNDS = {"dev": "Distorted AM Radio noise.wav", "eval": "Santa Motor, café.wav", "test": "drip; drop.wav"}


def clotho(folder: str, split: str, fname: str) -> dict[str, Any]:
    header = ["file_name", *CAPTIONS]
    metadata = ["file_name", "keywords", "sound_id", "sound_link", "start_end_samples", "manufacturer", "license"]
    row = [
        fname,
        f"noise;radio;{split}",
        "1",
        "https://x",
        "[0, 4000]",
        "Zoë",
        "http://creativecommons.org/licenses/by/3.0/",
    ]
    return {
        f"{folder}/clotho_csv_files/clotho_captions_{split}.csv": csv_bytes(
            [header, [fname, *(f'A "{split}", take {n}' for n in range(1, 6))]]
        ),
        f"{folder}/clotho_csv_files/clotho_metadata_{split}.csv": csv_bytes([metadata, row]).decode().encode("latin-1"),
        f"{folder}/clotho_audio_files/{split}/{fname}": WAV,
    }


def said_by_clotho(split: str) -> tuple[Any, ...]:
    captions = [f'A "{split}", take {n}' for n in range(1, 6)]
    return split, captions, ["noise", "radio", split], SECONDS


CORPORA["clotho"] = Corpus(
    "aac-datasets, src/aac_datasets/datasets/functional/clotho.py",
    clotho("CLOTHO_v2.1", "development", CLOTHO_SOUNDS["dev"])
    | clotho("CLOTHO_v2.1", "evaluation", CLOTHO_SOUNDS["eval"])
    | {
        "CLOTHO_v2.1/clotho_csv_files/clotho_metadata_test.csv": (
            "file_name;sound_id;sound_link;start_end_samples;manufacturer;license\n"
            '"drip; drop.wav";7;https://x;[0, 4000];Zoë;http://creativecommons.org/licenses/by/3.0/\n'
        ).encode("latin-1"),
        f"CLOTHO_v2.1/clotho_audio_files/test/{CLOTHO_SOUNDS['test']}": WAV,
    },
    {
        CLOTHO_SOUNDS["dev"]: said_by_clotho("development"),
        CLOTHO_SOUNDS["eval"]: said_by_clotho("evaluation"),
        CLOTHO_SOUNDS["test"]: ("test", [], [], SECONDS),
    },
    lambda row: (
        f"{name_of(row)}.wav",
        (row["split"], row["captions"] or [], row["labels"] or [], row["audio"]["duration"]),
    ),
)


CORPORA["audiocaps"] = Corpus(
    "aac-datasets, src/aac_datasets/datasets/functional/audiocaps.py",
    {
        "AUDIOCAPS/csv_files_v1/train.csv": lines(
            "audiocap_id,youtube_id,start_time,caption",
            "91139,r1nicOVtvkQ,130,A woman talks nearby as water pours",
            "58146,-UCGbCVKxQs,30,Nobody has this any more",
        ),
        "AUDIOCAPS/csv_files_v1/val.csv": lines(
            "audiocap_id,youtube_id,start_time,caption",
            '97151,vfY_TJq7n_U,130,"Rustling occurs, ducks quack"',
            "97152,vfY_TJq7n_U,130,Ducks quack and water splashes",
        ),
        "AUDIOCAPS/audio_32000Hz/train/r1nicOVtvkQ_130.flac": FLAC,
        "AUDIOCAPS/audio_32000Hz/val/vfY_TJq7n_U_130.flac": FLAC,
    },
    {
        "r1nicOVtvkQ_130": ("train", ["A woman talks nearby as water pours"], SECONDS),
        "vfY_TJq7n_U_130": ("val", ["Rustling occurs, ducks quack", "Ducks quack and water splashes"], SECONDS),
    },
    lambda row: (name_of(row), (row["split"], row["captions"], row["audio"]["duration"])),
    {"split": ["train", "val"]},
    {"-UCGbCVKxQs_30": "no_media"},
)


def wavcaps(*rows: Mapping[str, Any]) -> bytes:
    return json.dumps({"num_captions_per_audio": 1, "data": rows}).encode()


CORPORA["wavcaps"] = Corpus(
    "aac-datasets, src/aac_datasets/datasets/functional/wavcaps.py",
    {
        "WAVCAPS/json_files/AudioSet_SL/as_final.json": wavcaps(
            {"id": "Yb0RFKhbpFJA.wav", "caption": "Wind is blowing.", "duration": 10.0}
        ),
        "WAVCAPS/json_files/BBC_Sound_Effects/bbc_final.json": wavcaps(
            {"id": "NHU05104021", "caption": "A bird calls.", "duration": 10.0}
        ),
        "WAVCAPS/json_files/FreeSound/fsd_final.json": wavcaps(
            {"id": "180913", "caption": "Something is filmed.", "duration": 10.0}
        ),
        "WAVCAPS/json_files/SoundBible/sb_final.json": wavcaps(
            {"id": "180913", "caption": "An airplane is landing.", "duration": 10.0}
        ),
        "WAVCAPS/Audio/AudioSet_SL/Yb0RFKhbpFJA.flac": FLAC,
        "WAVCAPS/Audio/BBC_Sound_Effects/NHU05104021.flac": FLAC,
        "WAVCAPS/Audio/FreeSound/180913.flac": FLAC,
        "WAVCAPS/Audio/SoundBible/180913.flac": encoded(2, "flac", seconds=2 * SECONDS),
    },
    {
        "AudioSet_SL/Yb0RFKhbpFJA.flac": (["Wind is blowing."], SECONDS),
        "BBC_Sound_Effects/NHU05104021.flac": (["A bird calls."], SECONDS),
        "FreeSound/180913.flac": (["Something is filmed."], SECONDS),
        "SoundBible/180913.flac": (["An airplane is landing."], 2 * SECONDS),
    },
    lambda row: (f"{row['config']}/{name_of(row)}.flac", ([row["text"]], row["audio"]["duration"])),
    {"config": ["AudioSet_SL", "BBC_Sound_Effects", "FreeSound", "SoundBible"]},
)


def vocalsound(*names: str) -> bytes:
    mids = {"laughter": "/m/01j3sz", "throatclearing": "/m/0dl9sf8"}
    rows = [{"wav": f"/home/me/data/audio_16k/{name}.wav", "labels": mids[name.split("_")[2]]} for name in names]
    return json.dumps({"data": rows}).encode()


CORPORA["vocalsound"] = Corpus(
    "vocalsound, src/prep_data.py and src/dataloaders.py",
    {
        "datafiles/tr.json": vocalsound("f0003_0_laughter"),
        "datafiles/val.json": vocalsound("m0010_1_throatclearing"),
        "datafiles/te.json": vocalsound("f0427_0_throatclearing"),
        **{f"audio_16k/{name}.wav": WAV
           for name in ("f0003_0_laughter", "m0010_1_throatclearing", "f0427_0_throatclearing")},
    },
    {
        "f0003_0_laughter": ("tr", "/m/01j3sz", "laughter", "f0003", SECONDS),
        "m0010_1_throatclearing": ("val", "/m/0dl9sf8", "throatclearing", "m0010", SECONDS),
        "f0427_0_throatclearing": ("te", "/m/0dl9sf8", "throatclearing", "f0427", SECONDS),
    },
    lambda row: (
        name_of(row),
        (
            {"train": "tr", "test": "te"}.get(row["split"], row["split"]),
            extra(row)["mid"], row["labels"][0], row["speaker"], row["audio"]["duration"],
        ),
    ),
)  # fmt: skip


@pytest.mark.parametrize("name", CORPORA)
def test_a_pull_gives_what_the_recipe_gives(name: str, tmp_path: Path) -> None:
    check(name, CORPORA[name], tmp_path)
