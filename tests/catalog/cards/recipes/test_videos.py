"""Pulls of video beside the recipes of torchvision, lmms-eval and others; `Corpus` says how they compare."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from support.natives import csv_bytes, lines
from support.pulls import extra
from support.recipe_corpora import HALF, SECONDS, VIDEO, WAV, Corpus, check, name_of

CORPORA: dict[str, Corpus] = {}


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


@pytest.mark.parametrize("name", CORPORA)
def test_a_pull_gives_what_the_recipe_gives(name: str, tmp_path: Path) -> None:
    check(name, CORPORA[name], tmp_path)
