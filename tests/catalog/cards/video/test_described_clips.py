"""The cards of the video panel, each on a small corpus in its native layout, from a mirror and unpacked."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
import triptych
from support.natives import csv_bytes, film, on_host, on_hub, packed, parquet, unpacked
from support.pulls import extra, pulled, reasons, rows_of, without_network
from triptych.errors import GateError


def clips(count: int) -> list[bytes]:
    """Different short videos, every other one without sound."""
    return [film(n, with_sound=n % 2 == 0) for n in range(count)]


# ---- Kinetics


KINETICS = "https://s3.amazonaws.com/kinetics/"
ROWS = [
    ("abseiling", "-3B32lodo2M", 59, 69, "train", 0),
    ("air drumming", "_d_cJuKJQNs", 40, 50, "train", 0),
    ("testifying", "--gone_GONE", 0, 10, "train", 0),
]


def kinetics(base: str, short: str, mirror: Path, clip: list[bytes], *, folders: bool) -> dict[str, bytes]:
    """Two splits of two clips; one row has no file, one file has no row."""
    header = ("label", "youtube_id", "time_start", "time_end", "split", "is_cc")
    train = csv_bytes([header, *ROWS])
    val = csv_bytes([header[:5], ("washing feet", "--GkrdYZ9Tc", 0, 10, "validate")])
    on_host(mirror, f"{KINETICS}{base}/annotations/train.csv").write_bytes(train)
    on_host(mirror, f"{KINETICS}{base}/annotations/val.csv").write_bytes(val)
    place = {label: f"{label}/" if folders else "" for label in ("abseiling", "air drumming", "other")}
    parts = [
        {f"{place['abseiling']}-3B32lodo2M_000059_000069.mp4": clip[0]},
        {f"{place['air drumming']}_d_cJuKJQNs_000040_000050.mp4": clip[1], "._x.mp4": b"AppleDouble",
         f"{place['other']}unknown_xyz_000001_000011.mp4": clip[2]},
    ]  # fmt: skip
    urls = [f"{KINETICS}{base}/train/part 0 ({n}).tar.gz" for n in range(2)]
    on_host(mirror, f"{KINETICS}{base}/train/{short}_train_path.txt").write_text("\n".join(urls) + "\n")
    for url, part in zip(urls, parts, strict=True):
        packed(on_host(mirror, url), part)
    on_host(mirror, f"{KINETICS}{base}/val/{short}_val_path.txt").write_text(f"{KINETICS}{base}/val/v.tar.gz\n")
    packed(on_host(mirror, f"{KINETICS}{base}/val/v.tar.gz"), {"--GkrdYZ9Tc_000000_000010.mp4": clip[3]})
    tree = {f"train/{name}": data for part in parts for name, data in part.items()}
    return {"annotations/train.csv": train, "annotations/val.csv": val, **tree,
            "val/--GkrdYZ9Tc_000000_000010.mp4": clip[3]}  # fmt: skip


@pytest.mark.parametrize(
    ("name", "base", "short", "folders"),
    [("kinetics400", "400", "k400", False), ("kinetics700", "700_2020", "k700_2020", True)],
)
def test_kinetics(name: str, base: str, short: str, folders: bool, tmp_path: Path) -> None:
    clip = clips(4)
    tree = kinetics(base, short, tmp_path / "mirror", clip, folders=folders)
    rows = pulled(name, tmp_path / "store", split=["train", "val"], mirror=str(tmp_path / "mirror"))
    expected = {
        "train/-3B32lodo2M_000059_000069": ["abseiling"],
        "train/_d_cJuKJQNs_000040_000050": ["air drumming"],
        "val/--GkrdYZ9Tc_000000_000010": ["washing feet"],
    }
    assert {identity: row["labels"] for identity, row in rows.items()} == expected
    assert all((row["modality"], row["task"], row["start_s"]) == ("video", "tagging", None) for row in rows.values())
    assert reasons(tmp_path / "store") == {
        "--gone_GONE_000000_000010": "no_media", "unknown_xyz_000001_000011.mp4": "no_row"
    }  # fmt: skip

    again = pulled(name, tmp_path / "own", from_path=unpacked(tmp_path / "tree", tree), split=["train", "val"])
    assert {identity: row["labels"] for identity, row in again.items()} == expected
    assert {i: row["video"]["sha256"] for i, row in again.items()} == {
        i: row["video"]["sha256"] for i, row in rows.items()
    }


# ---- MSR-VTT


def msrvtt_json() -> dict[str, Any]:
    return {
        "info": {"year": "2016"},
        "videos": [
            {"id": n, "video_id": f"video{n}", "category": c, "url": "https://www.youtube.com/watch?v=x",
             "start time": 137.72, "end time": 149.44, "split": "train"}
            for n, c in ((0, 9), (6513, 0), (7010, 3), (9770, 14))
        ],
        "sentences": [
            {"sen_id": 1, "video_id": "video7010", "caption": "a man runs"},
            {"sen_id": 2, "video_id": "video0", "caption": "a car is shown"},
            {"sen_id": 3, "video_id": "video7010", "caption": "someone runs on a field"},
            {"sen_id": 4, "video_id": "video0", "caption": "a car is shown"},
            {"sen_id": 5, "video_id": "video6513", "caption": "music"},
            {"sen_id": 6, "video_id": "video9770", "caption": "a person is connecting something to system"},
        ],
    }  # fmt: skip


def test_msrvtt(tmp_path: Path) -> None:
    clip = clips(4)
    mirror = tmp_path / "mirror"
    annotations = {
        "msrvtt_data/MSRVTT_data.json": json.dumps(msrvtt_json()).encode(),
        "msrvtt_data/MSRVTT_JSFUSION_test.csv": csv_bytes(
            [("key", "vid_key", "video_id", "sentence"), ("ret0", "msr9770", "video9770", "a person is connecting")]
        ),
        "msrvtt_data/MSRVTT_train.9k.csv": b"video_id\nvideo0\n",
    }
    names = ("video0", "video6513", "video7010", "video9770")
    videos = {f"MSRVTT/videos/all/{name}.mp4": data for name, data in zip(names, clip, strict=True)}
    packed(on_host(mirror, "https://github.com/ArrowLuo/CLIP4Clip/releases/download/v0.0/msrvtt_data.zip"), annotations)
    packed(on_host(mirror, "https://www.robots.ox.ac.uk/~maxbain/frozen-in-time/data/MSRVTT.zip"),
           videos | {"MSRVTT/annotation/other.json": b"{}"})  # fmt: skip
    rows = pulled("msrvtt", tmp_path / "store", mirror=str(mirror))
    assert {identity: (row["captions"], row["labels"]) for identity, row in rows.items()} == {
        "train/video0": (["a car is shown", "a car is shown"], ["vehicles"]),
        "val/video6513": (["music"], ["music"]),
        "test/video7010": (["a man runs", "someone runs on a field"], ["sports"]),
        "test/video9770": (["a person is connecting something to system"], ["kids"]),
    }
    assert {i for i, row in rows.items() if "jsfusion_1k_a" in extra(row)} == {"test/video9770"}
    again = pulled("msrvtt", tmp_path / "own", from_path=unpacked(tmp_path / "tree", annotations | videos))
    assert {i: row["captions"] for i, row in again.items()} == {i: row["captions"] for i, row in rows.items()}


# ---- VATEX


VATEX = "https://eric-xw.github.io/vatex-website/data/"


def test_vatex_from_the_clips_of_the_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clip = clips(3)
    training = [
        {"videoID": "5-xGskbsBgI_000055_000065", "enCap": ["A man runs.", "He runs."], "chCap": ["一个人在跑。"]},
        {"videoID": "gone_gone__0_000001_000011", "enCap": ["Nobody sees it."], "chCap": ["没有"]},
    ]
    public = [{"videoID": "_-abcdefghi_000100_000110", "enCap": ["A dog barks."]}]
    tree = {
        "vatex_training_v1.0.json": json.dumps(training).encode(),
        "vatex_public_test_english_v1.1.json": json.dumps(public).encode(),
        "clips/5-xGskbsBgI_000055_000065.MP4": clip[0],
        "clips/_-abcdefghi_000100_000110.mp4": clip[1],
    }
    without_network(monkeypatch)
    rows = pulled("vatex", tmp_path / "store", from_path=unpacked(tmp_path / "tree", tree))
    assert {identity: (row["captions"], row["language"]) for identity, row in rows.items()} == {
        "train/5-xGskbsBgI_000055_000065_en": (["A man runs.", "He runs."], "en"),
        "train/5-xGskbsBgI_000055_000065_zh": (["一个人在跑。"], "zh"),
        "public-test/_-abcdefghi_000100_000110_en": (["A dog barks."], "en"),
    }
    assert set(reasons(tmp_path / "store").values()) == {"no_media"}


# ---- YouCook2


def test_youcook2_from_the_hub_copy(tmp_path: Path) -> None:
    clip = clips(2)
    mirror = tmp_path / "mirror"
    row = {"video_url": "https://www.youtube.com/watch?v=GLd3aX16zBg", "recipe_type": "113",
           "youtube_id": "GLd3aX16zBg"}  # fmt: skip
    parquet(
        on_hub(mirror, "lmms-eval/YouCook2", "data/val-00000-of-00001.parquet"),
        [
            row
            | {"id": str(n), "segment": [0.5 * n, 1.0 * n], "sentence": text, "video_path": f"val/GLd3aX16zBg_{n}.mp4"}
            for n, text in enumerate(("spread margarine on bread", "place a slice of cheese on the bread"))
        ],
    )
    videos = {f"YouCookIIVideos/val/GLd3aX16zBg_{n}.mp4": data for n, data in enumerate(clip)}
    packed(on_hub(mirror, "lmms-eval/YouCook2", "YouCookIIVideos.zip"), videos)
    rows = pulled("youcook2", tmp_path / "store", split="val", mirror=str(mirror))
    # Each file is the segment of its row, uncut: its times are those in the long video.
    assert {i: (row["text"], row["start_s"], row["end_s"]) for i, row in rows.items()} == {
        "val/GLd3aX16zBg_0": ("spread margarine on bread", None, None),
        "val/GLd3aX16zBg_1": ("place a slice of cheese on the bread", None, None),
    }
    assert extra(rows["val/GLd3aX16zBg_1"])["segment"] == "[0.5, 1.0]"
    assert [row["video"]["sha256"] for row in rows.values()] == [hashlib.sha256(data).hexdigest() for data in clip]


def test_youcook2_from_the_official_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clip = clips(2)
    annotations = {
        "database": {
            "GLd3aX16zBg": {
                "duration": 241.62,
                "subset": "training",
                "recipe_type": "113",
                "annotations": [
                    {"segment": [90, 102], "id": 0, "sentence": "spread margarine on two slices of white bread"},
                    {"segment": [114, 127], "id": 1, "sentence": "place a slice of cheese on the bread"},
                ],
                "video_url": "https://www.youtube.com/watch?v=GLd3aX16zBg",
            },
            "-xyz_XYZ-12": {
                "duration": 10.0,
                "subset": "validation",
                "recipe_type": "101",
                "annotations": [{"segment": [1, 2], "id": 0, "sentence": "boil water"}],
                "video_url": "https://www.youtube.com/watch?v=-xyz_XYZ-12",
            },
        }
    }
    tree = {
        "youcookii_annotations_trainval.json": json.dumps(annotations).encode(),
        "raw_videos/training/113/GLd3aX16zBg.mkv": clip[0],
        "raw_videos/validation/101/-xyz_XYZ-12.mp4": clip[1],
    }
    without_network(monkeypatch)
    rows = pulled("youcook2", tmp_path / "store", from_path=unpacked(tmp_path / "tree", tree))
    assert {i: (row["text"], row["start_s"], row["end_s"]) for i, row in rows.items()} == {
        "train/GLd3aX16zBg_0": ("spread margarine on two slices of white bread", 90.0, 102.0),
        "train/GLd3aX16zBg_1": ("place a slice of cheese on the bread", 114.0, 127.0),
        "val/-xyz_XYZ-12_0": ("boil water", 1.0, 2.0),
    }


# ---- LongVideoBench


def longvideobench(clip: list[bytes]) -> tuple[list[dict[str, Any]], list[dict[str, Any]], dict[str, bytes]]:
    row = {"subtitle_path": "a_en.json", "duration": 12.5, "duration_group": 15, "question_category": "S2E",
           "topic_category": "KH-Knowledge", "starting_timestamp_for_subtitles": 0.0, "option3": "N/A",
           "option4": "N/A"}  # fmt: skip
    first = row | {"video_id": "a", "id": "a_0", "video_path": "a.mp4", "correct_choice": 2, "question": "Which?",
                   "option0": "red", "option1": "green", "option2": "blue"}  # fmt: skip
    hidden = row | {"video_id": "b", "id": "b_0", "video_path": "b.mp4", "correct_choice": -1, "question": "Where?",
                    "option0": "here", "option1": "there", "option2": "N/A"}  # fmt: skip
    return [first], [hidden], {"videos/a.mp4": clip[0], "videos/b.mp4": clip[1], "videos/c.mp4": clip[2]}


def test_longvideobench(tmp_path: Path) -> None:
    clip = clips(3)
    validation, test, videos = longvideobench(clip)
    mirror, repo = tmp_path / "mirror", "longvideobench/LongVideoBench"
    parquet(on_hub(mirror, repo, "validation-00000-of-00001.parquet"), validation)
    parquet(on_hub(mirror, repo, "test-00000-of-00001.parquet"), test)
    whole = packed(tmp_path / "videos.tar", videos).read_bytes()
    third = len(whole) // 3
    for name, data in zip(
        ("aa", "ab", "ac"), (whole[:third], whole[third : 2 * third], whole[2 * third :]), strict=True
    ):
        on_hub(mirror, repo, f"videos.tar.part.{name}").write_bytes(data)
    rows = pulled("longvideobench", tmp_path / "store", mirror=str(mirror))
    assert {i: (row["question"], row["choices"], row["answer"]) for i, row in rows.items()} == {
        "validation/a_0": ("Which?", ["red", "green", "blue"], "blue"),
        "test/b_0": ("Where?", ["here", "there"], None),
    }
    assert rows["validation/a_0"]["labels"] == ["S2E", "KH-Knowledge"]

    tree = tmp_path / "tree"
    parquet(tree / "validation-00000-of-00001.parquet", validation)
    parquet(tree / "test-00000-of-00001.parquet", test)
    again = pulled("longvideobench", tmp_path / "own", from_path=unpacked(tree, videos))
    assert {i: row["answer"] for i, row in again.items()} == {i: row["answer"] for i, row in rows.items()}

    listed = [{**row, "candidates": [row[f"option{n}"] for n in range(3) if row[f"option{n}"] != "N/A"]}
              for row in (*validation, *test)]  # fmt: skip
    official = {"lvb_val.json": json.dumps(listed[:1]).encode(), "lvb_test_wo_gt.json": json.dumps(listed[1:]).encode()}
    third_way = pulled(
        "longvideobench", tmp_path / "json", from_path=unpacked(tmp_path / "official", official | videos)
    )
    wanted = ("question", "choices", "answer", "labels", "split")
    assert {i: [row[name] for name in wanted] for i, row in third_way.items()} == {
        i: [row[name] for name in wanted] for i, row in rows.items()
    }


def test_longvideobench_without_a_token_says_what_to_accept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.delenv("HF_TOKEN", raising=False)
    without_network(monkeypatch)
    with pytest.raises(GateError, match="non-commercial use") as caught:
        triptych.pull("longvideobench", samples=1, store=tmp_path / "store")
    assert "huggingface.co/datasets/longvideobench" in str(caught.value.hint)
    assert rows_of("longvideobench", tmp_path / "store") == {}


# ---- ActivityNet-QA


QUESTIONS = [
    {"video_name": "okC18bPTils", "question": "are all the people in the video men", "question_id": "v_okC18bPTils_3"},
    {"video_name": "v_UmAH95xls", "question": "what color is the dog", "question_id": "v_v_UmAH95xls_1"},
]
ANSWERS = [
    {"answer": "brown", "type": 4, "question_id": "v_v_UmAH95xls_1"},
    {"answer": "no", "type": 3, "question_id": "v_okC18bPTils_3"},
]
ASKED = {
    "v_okC18bPTils_3": ("are all the people in the video men?", "no", ["yes/no"]),
    "v_v_UmAH95xls_1": ("what color is the dog?", "brown", ["color"]),
}


def asked(rows: dict[str, dict[str, Any]]) -> dict[str, tuple[str, str, list[str]]]:
    return {i.split("/")[-1]: (row["question"], row["answer"], row["labels"]) for i, row in rows.items()}


def test_activitynet_qa_from_the_hub_copy(tmp_path: Path) -> None:
    clip = clips(3)
    mirror, repo = tmp_path / "mirror", "lmms-eval/ActivityNetQA"
    answers = {answer["question_id"]: answer for answer in ANSWERS}
    parquet(
        on_hub(mirror, repo, "data/test-00000-of-00001.parquet"),
        [q | answers[q["question_id"]] | {"type": str(answers[q["question_id"]]["type"])} for q in QUESTIONS],
    )
    packed(on_hub(mirror, repo, "videos_chunked_01.zip"), {"all_test/v_okC18bPTils.webm": clip[0]})
    packed(on_hub(mirror, repo, "videos_chunked_02.zip"),
           {"all_test/v_v_UmAH95xls.mp4": clip[1], "all_test/v_unasked.mp4": clip[2]})  # fmt: skip
    rows = pulled("activitynet_qa", tmp_path / "store", mirror=str(mirror), split="test")
    assert {
        i.removeprefix("test/"): (row["question"], row["answer"], row["labels"]) for i, row in rows.items()
    } == ASKED


def test_activitynet_qa_from_the_official_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clip = clips(2)
    tree = {
        "dataset/train_q.json": json.dumps(QUESTIONS).encode(),
        "dataset/train_a.json": json.dumps(ANSWERS).encode(),
        "videos/v_okC18bPTils.mp4": clip[0],
        "videos/v_v_UmAH95xls.mkv": clip[1],
    }
    without_network(monkeypatch)
    rows = pulled("activitynet_qa", tmp_path / "store", from_path=unpacked(tmp_path / "tree", tree))
    assert {
        i.removeprefix("train/"): (row["question"], row["answer"], row["labels"]) for i, row in rows.items()
    } == ASKED
