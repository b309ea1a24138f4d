"""Pulls beside the recipes and loaders of other tools: torchaudio, SpeechBrain, ESPnet, aac-datasets, torchvision ...

Each corpus is a small tree in the layout that the recipe reads, written from the recipe, with what the recipe makes of
it: id, split, text, label or answer, speaker, seconds. `as_recipe` says how ours differs on purpose, and so does the
card (`recipes`), which names the recipe's file.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import triptych
from support.corpora import noise
from support.imported import video
from support.natives import csv_bytes, encoded, extra, parquet, reasons, rows_of, unpacked
from triptych.catalog.registry import get_card

Row = Mapping[str, Any]
SECONDS = 0.25
WAV = noise(1)
FLAC = encoded(2, "flac", seconds=SECONDS)


@dataclass(frozen=True)
class Corpus:
    """A tree, and what a recipe makes of it.

    Attributes:
        recipe: As the card names it.
        files: Path -> bytes; `VIDEO` stands for a short video, and a list of rows for a Parquet file.
        said: Id of the recipe -> what it says.
        as_recipe: One of our rows -> its id and values as the recipe has them.
        options: How it is pulled.
        rejected: What ours leaves out, with the reason; the recipe leaves it out too, or fails.
    """

    recipe: str
    files: Mapping[str, Any]
    said: Mapping[Any, tuple[Any, ...]]
    as_recipe: Callable[[Row], tuple[Any, tuple[Any, ...]]]
    options: Mapping[str, Any] = field(default_factory=dict)
    rejected: Mapping[str, str] = field(default_factory=dict)


VIDEO = object()


def name_of(row: Row) -> str:
    """Our id without the dataset, the configuration and the split."""
    return str(row["id"]).split(f"/{row['split']}/", 1)[1]


def lines(*rows: str) -> bytes:
    return "".join(f"{row}\n" for row in rows).encode()


CORPORA: dict[str, Corpus] = {}

# ---- speech

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

# ---- sounds

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


# ---- video

HALF = 0.5


def meld(number: int, dialogue: int, utterance: int, said: str, speaker: str, emotion: str) -> tuple[Any, ...]:
    return (number, said, speaker, emotion, "neutral", dialogue, utterance, 8, 21, "00:16:16,059", "00:16:21,731")


MELD = ("Sr No.", "Utterance", "Speaker", "Emotion", "Sentiment", "Dialogue_ID", "Utterance_ID", "Season", "Episode",
        "StartTime", "EndTime")  # fmt: skip
CORPORA["meld"] = Corpus(
    "MELD, utils/read_meld.py",
    {
        "train_sent_emo.csv": csv_bytes(
            [MELD, meld(1, 0, 0, "also I was, the point person", "Chandler", "neutral"),
             meld(2, 0, 1, "You must\u2019ve had your hands full.", "The Interviewer", "surprise")]
        ),
        "test_sent_emo.csv": csv_bytes([MELD, meld(1, 0, 0, "Why do all you're coffee mugs", "Mark", "joy")]),
        "train_splits/dia0_utt0.mp4": VIDEO,
        "train_splits/dia0_utt1.mp4": VIDEO,
        "output_repeated_splits_test/dia0_utt0.mp4": VIDEO,
    },
    {
        "train_splits/dia0_utt0.mp4": ("also I was, the point person", "Chandler", "neutral", HALF),
        "train_splits/dia0_utt1.mp4": ("You must've had your hands full.", "The Interviewer", "surprise", HALF),
        "output_repeated_splits_test/dia0_utt0.mp4": ("Why do all you're coffee mugs", "Mark", "joy", HALF),
    },
    lambda row: (
        {"train": "train_splits", "test": "output_repeated_splits_test"}[row["split"]] + f"/{name_of(row)}.mp4",
        (row["text"], row["speaker"], row["labels"][0], row["video"]["duration"]),
    ),
    {"split": ["train", "test"]},
)  # fmt: skip

KINETICS = {
    "annotations/train.csv": lines(
        "label,youtube_id,time_start,time_end,split,is_cc",
        "abseiling,-3B32lodo2M,59,69,train,0",
        "playing rock, paper, scissors".join(('"', '",_d_cJuKJQNs,40,50,train,0')),
    ),
    "annotations/val.csv": lines("label,youtube_id,time_start,time_end,split", "washing feet,--GkrdYZ9Tc,0,10,val"),
    "train/abseiling/-3B32lodo2M_000059_000069.mp4": VIDEO,
    "train/playing_rock,_paper,_scissors/_d_cJuKJQNs_000040_000050.mp4": VIDEO,
    "val/washing_feet/--GkrdYZ9Tc_000000_000010.mp4": VIDEO,
}
for kinetics in ("kinetics400", "kinetics700"):
    CORPORA[kinetics] = Corpus(
        "torchvision, torchvision/datasets/kinetics.py",
        KINETICS,
        {
            "-3B32lodo2M_000059_000069.mp4": ("train", "abseiling", HALF),
            "_d_cJuKJQNs_000040_000050.mp4": ("train", "playing_rock,_paper,_scissors", HALF),
            "--GkrdYZ9Tc_000000_000010.mp4": ("val", "washing_feet", HALF),
        },
        lambda row: (
            f"{name_of(row)}.mp4",
            (row["split"], row["labels"][0].replace(" ", "_"), row["video"]["duration"]),
        ),
        {"split": ["train", "val"]},
    )


def msrvtt_video(number: int, split: str, category: int) -> dict[str, Any]:
    return {"category": category, "url": f"https://www.youtube.com/watch?v=y{number}", "video_id": f"video{number}",
            "start time": 1.0, "end time": 12.0, "split": split, "id": number}  # fmt: skip


MSRVTT = {
    "videos": [msrvtt_video(0, "train", 9), msrvtt_video(6600, "validate", 0), msrvtt_video(7020, "test", 3)],
    "sentences": [
        {"caption": "a car is shown", "video_id": "video0", "sen_id": 0},
        {"caption": "a man sings", "video_id": "video6600", "sen_id": 1},
        {"caption": "in a car", "video_id": "video0", "sen_id": 2},
        {"caption": "a ball is kicked", "video_id": "video7020", "sen_id": 3},
    ],
}
CORPORA["msrvtt"] = Corpus(
    "CLIP4Clip, dataloaders/dataloader_msrvtt_retrieval.py",
    {
        "msrvtt_data/MSRVTT_data.json": json.dumps(MSRVTT).encode(),
        "msrvtt_data/MSRVTT_train.9k.csv": lines("video_id", "video0", "video6600"),
        "msrvtt_data/MSRVTT_JSFUSION_test.csv": lines(
            "key,vid_key,video_id,sentence", "ret0,msr7020,video7020,a ball is kicked"
        ),
        **{f"MSRVTT/videos/all/video{number}.mp4": VIDEO for number in (0, 6600, 7020)},
    },
    {
        "video0": ("train", ["a car is shown", "in a car"], False, HALF),
        "video6600": ("validate", ["a man sings"], False, HALF),
        "video7020": ("test", ["a ball is kicked"], True, HALF),
    },
    lambda row: (
        name_of(row),
        (
            {"val": "validate"}.get(row["split"], row["split"]),
            row["captions"],
            "jsfusion_1k_a" in extra(row),
            row["video"]["duration"],
        ),
    ),
)

CORPORA["vatex"] = Corpus(
    "lmms-eval, lmms_eval/tasks/vatex/utils.py",
    {
        "vatex_public_test_english_v1.1.json": json.dumps(
            [{"videoID": "Ptf_2VRj-V0_000122_000132", "enCap": ["A guy rides.", "A boy on a board."]},
             {"videoID": "-xEcQw-xU58_000010_000020", "enCap": ["A girl flips."]}]
        ).encode(),
        "vatex_validation_v1.0.json": json.dumps(
            [{"videoID": "4QWgvCqbhoQ_000000_000010", "enCap": ["Snow."], "chCap": ["\u96ea\u3002"]}]
        ).encode(),
        "Ptf_2VRj-V0_000122_000132.mp4": VIDEO,
        "-xEcQw-xU58_000010_000020.MP4": VIDEO,
        "4QWgvCqbhoQ_000000_000010.mp4": VIDEO,
    },
    {
        "Ptf_2VRj-V0_000122_000132 enCap": (["A guy rides.", "A boy on a board."], HALF),
        "-xEcQw-xU58_000010_000020 enCap": (["A girl flips."], HALF),
        "4QWgvCqbhoQ_000000_000010 enCap": (["Snow."], HALF),
        "4QWgvCqbhoQ_000000_000010 chCap": (["\u96ea\u3002"], HALF),
    },
    lambda row: (
        name_of(row).removesuffix("_en").removesuffix("_zh") + {"en": " enCap", "zh": " chCap"}[row["language"]],
        (row["captions"], row["video"]["duration"]),
    ),
    {"split": ["validation", "public-test"]},
)  # fmt: skip

CORPORA["activitynet_qa"] = Corpus(
    "lmms-eval, lmms_eval/tasks/activitynetqa/utils.py",
    {
        "data/test-00000-of-00001.parquet": [
            {"video_name": "1QIUV7WYKXg", "question_id": "v_1QIUV7WYKXg_3", "question": "is she wearing trousers",
             "answer": "yes", "type": "3"},
            {"video_name": "okC18bPTils", "question_id": "v_okC18bPTils_7", "question": "how many people are there",
             "answer": "2", "type": "7"},
        ],
        "all_test/v_1QIUV7WYKXg.mp4": VIDEO,
        "all_test/v_okC18bPTils.mkv": VIDEO,
    },
    {
        "v_1QIUV7WYKXg_3": ("test", "Is she wearing trousers?", "yes", HALF),
        "v_okC18bPTils_7": ("test", "How many people are there?", "2", HALF),
    },
    lambda row: (
        name_of(row),
        (row["split"], row["question"].capitalize(), row["answer"], row["video"]["duration"]),
    ),
    {"source": "hub"},
)  # fmt: skip


def longvideo(identity: str, options: list[str], answer: int) -> dict[str, Any]:
    names = {f"option{n}": option for n, option in enumerate([*options, "N/A", "N/A", "N/A"][:5])}
    return {"video_id": identity[:11], "question": f"What is in {identity}?", **names, "correct_choice": answer,
            "id": identity, "video_path": f"{identity[:11]}.mp4", "subtitle_path": f"{identity[:11]}_en.json",
            "duration": 0.5, "starting_timestamp_for_subtitles": 0, "question_category": "T3E", "duration_group": 15,
            "topic_category": "NP-News"}  # fmt: skip


CORPORA["longvideobench"] = Corpus(
    "lmms-eval, lmms_eval/tasks/longvideobench/utils.py",
    {
        "validation-00000-of-00001.parquet": [
            longvideo("86CxyhFV9MI_0", ["a cup", "a dog", "a cat"], 1),
            longvideo("86CxyhFV9MI_1", ["one", "two", "three", "four", "five"], 4),
        ],
        "test-00000-of-00001.parquet": [longvideo("QVIE3s0ADQg_0", ["red", "blue"], -1)],
        "videos/86CxyhFV9MI.mp4": VIDEO,
        "videos/QVIE3s0ADQg.mp4": VIDEO,
    },
    {
        "86CxyhFV9MI_0": ("validation", "What is in 86CxyhFV9MI_0?", ["a cup", "a dog", "a cat"], 1, HALF),
        "86CxyhFV9MI_1": (
            "validation", "What is in 86CxyhFV9MI_1?", ["one", "two", "three", "four", "five"], 4, HALF,
        ),
        "QVIE3s0ADQg_0": ("test", "What is in QVIE3s0ADQg_0?", ["red", "blue"], -1, HALF),
    },
    lambda row: (
        name_of(row),
        (
            row["split"], row["question"], row["choices"],
            -1 if row["answer"] is None else row["choices"].index(row["answer"]), row["video"]["duration"],
        ),
    ),
)  # fmt: skip


CORPORA["vggsound"] = Corpus(
    "VGGSound, datasets/dataloader.py",
    {
        "data/vggsound.csv": lines(
            "FwVYUHKoLtQ,34,playing harp,test", '---g-f_I2yQ,1,"people marching",train', "--0PQM4-hqg,30,gone,train"
        ),
        "FwVYUHKoLtQ_000034.wav": WAV,
        "---g-f_I2yQ_000001.wav": WAV,
    },
    {
        "FwVYUHKoLtQ_000034.mp4": ("playing harp", "audio", SECONDS),
        "---g-f_I2yQ_000001.mp4": ("people marching", "audio", SECONDS),
    },
    lambda row: (f"{name_of(row)}.mp4", (row["labels"][0], row["modality"], row["audio"]["duration"])),
    {},
    {"--0PQM4-hqg_000030": "no_media"},
)

CLASSES = lines("index,mid,display_name", '0,/m/09x0r,"Speech"', '1,/m/05zppz,"Male speech, man speaking"')
CORPORA["audioset"] = Corpus(
    "audioset_tagging_cnn, utils/dataset.py",
    {
        "metadata/class_labels_indices.csv": CLASSES,
        "metadata/balanced_train_segments.csv": lines(
            "# Segments csv created Sun Mar  5 10:54:31 2017",
            "# num_ytids=2, num_segs=2, num_unique_labels=2, num_positive_labels=3",
            "# YTID, start_seconds, end_seconds, positive_labels",
            '--PJHxphWEs, 30.000, 40.000, "/m/09x0r,/m/05zppz"',
            '-0SdAVK79lg, 0.000, 10.000, "/m/09x0r"',
        ),
        "audios/balanced_train_segments/Y--PJHxphWEs.wav": WAV,
        "audios/balanced_train_segments/Y-0SdAVK79lg.wav": WAV,
    },
    {
        "Y--PJHxphWEs.wav": ([0, 1], "audio", SECONDS),
        "Y-0SdAVK79lg.wav": ([0], "audio", SECONDS),
    },
    lambda row: (
        f"Y{name_of(row).rpartition('_')[0]}.wav",
        (
            [["Speech", "Male speech, man speaking"].index(label) for label in row["labels"]],
            row["modality"],
            row["audio"]["duration"],
        ),
    ),
    {"split": "balanced-train"},
)

CORPORA["how2"] = Corpus(
    "ESPnet, egs/how2/st1/local/data_prep.sh",
    {
        "how2-300h-v1/data/train/segments": lines(
            "-19KhEzNqjk_0 -19KhEzNqjk 0.0 0.2", "-19KhEzNqjk_1 -19KhEzNqjk 0.2 0.5"
        ),
        "how2-300h-v1/data/train/id": lines("-19KhEzNqjk_0", "-19KhEzNqjk_1"),
        "how2-300h-v1/data/train/text.id.en": lines(
            "-19KhEzNqjk_0 Hi, I'm going to show you.", '-19KhEzNqjk_1 "Now" this.'
        ),
        "how2-300h-v1/data/train/text.id.pt": lines("-19KhEzNqjk_0 Oi, vou mostrar.", '-19KhEzNqjk_1 "Agora" isto.'),
        "how2-300h-v1/data/train/text.en": lines("Hi, I'm going to show you.", '"Now" this.'),
        "how2-300h-v1/data/train/text.pt": lines("Oi, vou mostrar.", '"Agora" isto.'),
        "how2-300h-v1/data/dev5/segments": lines("0fVSDjxFoOY_4 0fVSDjxFoOY 0.1 0.4"),
        "how2-300h-v1/data/dev5/text.id.en": lines("0fVSDjxFoOY_4 Held out."),
        "how2-300h-v1/data/dev5/text.id.pt": lines("0fVSDjxFoOY_4 Reservado."),
        "videos/-19KhEzNqjk.mp4": VIDEO,
        "videos/0fVSDjxFoOY.mp4": VIDEO,
    },
    {
        "-19KhEzNqjk_0": ("train", "Hi, I'm going to show you.", "Oi, vou mostrar.", 0.0, 0.2),
        "-19KhEzNqjk_1": ("train", '"Now" this.', '"Agora" isto.', 0.2, 0.5),
        "0fVSDjxFoOY_4": ("dev5", "Held out.", "Reservado.", 0.1, 0.4),
    },
    lambda row: (
        name_of(row),
        (row["split"], row["text"], row["translation"], row["start_s"], row["end_s"]),
    ),
    {"split": ["train", "dev5"]},
)

CORPORA["youcook2"] = Corpus(
    "lmms-eval, lmms_eval/tasks/youcook2/utils.py",
    {
        "data/val-00000-of-00001.parquet": [
            {"youtube_id": "xHr8X2Wpmno", "video_url": "https://x", "recipe_type": "113", "segment": [47, 60], "id": 0,
             "sentence": "pick the ends off the verdalago", "video_path": "validation/113/xHr8X2Wpmno/segment_0.mp4"},
            {"youtube_id": "xHr8X2Wpmno", "video_url": "https://x", "recipe_type": "113", "segment": [67, 89], "id": 1,
             "sentence": "combine lemon juice", "video_path": "validation/113/xHr8X2Wpmno/segment_1.mp4"},
        ],
        **{f"YouCookIIVideos/validation/113/xHr8X2Wpmno/segment_{n}.mp4": VIDEO for n in (0, 1)},
    },
    {
        ("xHr8X2Wpmno", 0): ("val", "pick the ends off the verdalago", HALF),
        ("xHr8X2Wpmno", 1): ("val", "combine lemon juice", HALF),
    },
    lambda row: (
        (name_of(row).rpartition("_")[0], int(name_of(row).rpartition("_")[2])),
        (row["split"], row["text"], row["video"]["duration"]),
    ),
)  # fmt: skip


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A short video, the same for all samples."""
    return video(tmp_path_factory.mktemp("clip") / "clip.mp4", seed=0, with_sound=True).read_bytes()


def written(folder: Path, files: Mapping[str, Any], clip: bytes) -> Path:
    tables = {name: data for name, data in files.items() if isinstance(data, list)}
    unpacked(folder, {name: clip if data is VIDEO else data for name, data in files.items() if name not in tables})
    for name, rows in tables.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        parquet(folder / name, rows)
    return folder


@pytest.mark.parametrize("name", CORPORA)
def test_a_pull_gives_what_the_recipe_gives(name: str, clip: bytes, tmp_path: Path) -> None:
    corpus = CORPORA[name]
    tree = written(tmp_path / "tree", corpus.files, clip)
    triptych.pull(name, store=tmp_path / "store", from_path=tree, **corpus.options)
    found = [corpus.as_recipe(row) for row in rows_of(name, tmp_path / "store").values()]
    assert dict(found) == corpus.said
    assert len(found) == len(corpus.said)
    assert reasons(tmp_path / "store") == corpus.rejected
    assert corpus.recipe in get_card(name).recipes
