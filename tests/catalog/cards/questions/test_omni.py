"""The cards of questions about clips of Clotho, music, and sound and picture together."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
import triptych
from support.natives import cell, csv_bytes, films, json_bytes, on_host, on_hub, packed, parquet, unpacked, wavs
from support.pulls import asked, extra, pulled, reasons, rows_of
from triptych.errors import UsageError

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAIAAAACCAIAAAD91JpzAAAAFElEQVR4nGP8z8DAwMDAxAADCBYAG10BBdmz9y8AAAAASUVORK5CYII="
)
"""A picture of two by two points."""


# ---- clips of Clotho, music, and a frame and its sound


def test_clotho_aqa_keeps_every_answer_to_a_question(tmp_path: Path, heard: list[bytes]) -> None:
    mirror = tmp_path / "mirror"
    records = "https://zenodo.org/records/6473207/files/{}"
    header = ("file_name", "QuestionText", "answer", "confidence")
    name = "Small, thin_rain (1).wav"
    tables = {
        "train": [header, *((name, "Is it raining? ", answer, sure) for answer, sure in
                            (("yes", "yes"), ("yes", "maybe"), ("no", "no")))],
        "test": [header, ("b.wav", "What barks?", "dog", "yes")],
    }  # fmt: skip
    for split, rows in tables.items():
        on_host(mirror, records.format(f"clotho_aqa_{split}.csv")).write_bytes(csv_bytes(rows))
    clips = {f"audio_files/{name}": heard[0], "audio_files/b.wav": heard[1], "audio_files/unasked.wav": heard[2]}
    packed(on_host(mirror, records.format("audio_files.zip")), clips)
    for split in ("train", "test"):
        triptych.pull("clotho_aqa", store=tmp_path / "store", mirror=str(mirror), split=split)
    found = rows_of("clotho_aqa", tmp_path / "store")
    assert {identity: (row["answer"], extra(row)["confidence"]) for identity, row in found.items()} == {
        "answers/train/Small, thin_rain (1)_0": ("yes", "yes"),
        "answers/train/Small, thin_rain (1)_1": ("yes", "maybe"),
        "answers/train/Small, thin_rain (1)_2": ("no", "no"),
        "answers/test/b_0": ("dog", "yes"),
    }
    assert found["answers/train/Small, thin_rain (1)_0"]["question"] == "Is it raining?"
    row = {"context": {"bytes": heard[3], "path": "c.wav"}, "instruction": "What barks?", "answer": "dog"}
    parquet(on_hub(mirror, "AudioLLMs/clotho_aqa_test", "data/test-00000-of-00001.parquet"), [row])
    found = pulled("clotho_aqa", tmp_path / "bench", mirror=str(mirror), config="audiobench")
    assert asked(found) == {"audiobench/test/test-00000-of-00001_0": ("What barks?", None, "dog")}


def test_music_avqa_puts_values_into_its_templates(tmp_path: Path, seen: list[bytes]) -> None:
    def question(number: int, template: str, values: list[str], answer: str, **more: Any) -> dict[str, Any]:
        return {"video_id": "00000108", "question_id": number, "type": '["Audio", "Comparative"]',
                "question_content": template, "templ_values": json.dumps(values), "question_deleted": 0,
                "anser": answer, **more}  # fmt: skip

    tree = unpacked(tmp_path / "tree", {
        "json_update/avqa-val.json": json_bytes([
            question(10, "Is the <Object> louder than the <Object>?", ["guzheng", "piano"], "yes"),
            question(11, "What is the instrument on the <LR> of <Object>?", ["left"], "saxophone"),
            question(12, "Where is the performance?", [], "indoor", video_id="va00003871"),
            question(13, "Deleted?", [], "no", question_deleted=1),
        ]),
        "MUSIC-AVQA-videos-Real/00000108.mp4": seen[0],
        "MUCIS-AVQA-videos-Synthetic/va00003871.mp4": seen[1],
    })  # fmt: skip
    found = pulled("music_avqa", tmp_path / "store", from_path=tree)
    assert asked(found) == {
        "val/10": ("Is the guzheng louder than the piano?", None, "yes"),
        "val/12": ("Where is the performance?", None, "indoor"),
    }
    assert found["val/10"]["labels"] == ["Audio", "Comparative"]
    assert set(reasons(tmp_path / "store").values()) == {"bad_value", "deleted"}


def test_omniinstruct_pairs_a_frame_with_its_sound(tmp_path: Path, heard: list[bytes]) -> None:
    mirror = tmp_path / "mirror"
    about = {"audio": {"bytes": heard[0], "path": "a.wav"}, "image": {"bytes": PNG, "path": "a.png"}}
    rows = [
        {**about, "id": 7, "question": "What is it?", "options": ["dog", "cat"], "answer": "cat", "source": "AVQA"},
        {**about, "id": 7, "question": "How many?", "options": [], "answer": "two", "source": "MusicAVQA"},
    ]
    parquet(on_hub(mirror, "m-a-p/OmniInstruct_v1", "data/train-00000-of-00010.parquet"), rows)
    parquet(on_hub(mirror, "m-a-p/OmniInstruct_v1", "data/valid-00000-of-00001.parquet"), rows[:1])
    found = pulled("omniinstruct", tmp_path / "store", mirror=str(mirror))
    assert asked(found) == {
        "v1/train/AVQA_7": ("What is it?", ["dog", "cat"], "cat"),
        "v1/train/MusicAVQA_7": ("How many?", None, "two"),
        "v1/valid/AVQA_7": ("What is it?", ["dog", "cat"], "cat"),
    }
    assert {(row["modality"], row["image"]["width"]) for row in found.values()} == {("mixed", 2)}
    older = {
        **about,
        "answer": "two",
        "category_id": 3,
        "id": 5,
        "question": "How many?",
        "video_id": 9,
        "category": "x",
    }
    parquet(on_hub(mirror, "m-a-p/OmniInstruct", "data/train-00000-of-00002.parquet"), [older])
    parquet(on_hub(mirror, "m-a-p/OmniInstruct", "data/valid-00000-of-00001.parquet"), [older])
    found = pulled("omniinstruct", tmp_path / "older", mirror=str(mirror), config="msrvtt", split="train")
    assert asked(found) == {"msrvtt/train/5": ("How many?", None, "two")}


# ---- the omni sets


def test_omnibench_keeps_what_tells_the_answer_out_of_the_question(tmp_path: Path) -> None:
    mirror = tmp_path / "mirror"
    row = {
        "index": 7, "task type": "Action and Activity", "audio type": "speech", "question": "What are they doing?",
        "options": ["a dance", "a fight", "a talk", "a walk"], "answer": "a talk",
        "audio content": "they say hello", "image content": "two people talk",
        "audio": cell(wavs(1)[0], "a.mp3"),
        "image": cell(PNG, "a.png"),
    }  # fmt: skip
    parquet(on_hub(mirror, "m-a-p/OmniBench", "data/train-00000-of-00001.parquet"), [row])
    [(identity, found)] = pulled("omnibench", tmp_path / "store", mirror=str(mirror)).items()
    assert (identity, found["question"], found["answer"]) == ("train/7", "What are they doing?", "a talk")
    assert found["choices"] == ["a dance", "a fight", "a talk", "a walk"]
    assert found["labels"] == ["Action and Activity", "speech"]
    assert found["image"] is not None and found["audio"] is not None
    assert extra(found)["image content"] == "two people talk"
    published = triptych.export("msswift", store=tmp_path / "store", task="grpo")
    prompt = (published.version.path / "data.jsonl").read_text()
    assert "a dance" in prompt and "two people talk" not in prompt
    for split in ("train", "train*"):
        with pytest.raises(UsageError, match=r"matches no sample. Splits: train \(which is test data\)"):
            triptych.export("msswift", store=tmp_path / "store", task="grpo", split=split)
    of_its_role = triptych.export("msswift", store=tmp_path / "store", task="grpo", split="test")
    assert published.counts["written"] == of_its_role.counts["written"] == 1


def test_daily_omni_takes_the_letters_off_its_choices(tmp_path: Path) -> None:
    mirror, clip = tmp_path / "mirror", films(1)
    item = {"Question": "What comes after the bell?", "Choice": ["A. A dog", "B. A cat", "C. A car", "D. Rain"],
            "Answer": "B", "video_id": "abc-_12", "Type": "Event Sequence", "video_duration": "30s"}  # fmt: skip
    on_hub(mirror, "liarliar/Daily-Omni", "qa.json").write_text(json.dumps([item, item | {"Answer": "D"}]))
    members = {"Videos/abc-_12/abc-_12_video.mp4": clip[0], "Videos/abc-_12/abc-_12_audio.wav": b"RIFF"}
    packed(on_hub(mirror, "liarliar/Daily-Omni", "Videos.tar"), members)
    found = pulled("daily_omni", tmp_path / "store", mirror=str(mirror))
    assert {i: (row["choices"], row["answer"], row["labels"]) for i, row in found.items()} == {
        "test/abc-_12_0": (["A dog", "A cat", "A car", "Rain"], "A cat", ["Event Sequence"]),
        "test/abc-_12_1": (["A dog", "A cat", "A car", "Rain"], "Rain", ["Event Sequence"]),
    }


def test_worldsense_reads_task_after_task(tmp_path: Path) -> None:
    mirror, clip = tmp_path / "mirror", films(2)
    task = {"task_domain": "Recognition", "task_type": "Event Recognition", "question": "What happens?",
            "candidates": ["A. It rains.", "B. It snows."], "answer": "A"}  # fmt: skip
    document = {
        "aBcdEfGh": {"duration": 60, "domain": "Music", "sub_category": "Concert", "audio_class": ["Music"],
                     "video_caption": "It rains at a concert.", "task0": task,
                     "task1": task | {"question": "And then?", "answer": "B"}},
        "-_second": {"duration": 30, "domain": "Sports", "sub_category": "Running", "audio_class": ["Speech"],
                     "video_caption": "Snow.", "task0": task | {"answer": "B"}},
    }  # fmt: skip
    on_hub(mirror, "honglyhly/WorldSense", "worldsense_qa.json").write_text(json.dumps(document))
    packed(on_hub(mirror, "honglyhly/WorldSense", "worldsense_videos_1.zip"), {"v/aBcdEfGh.mp4": clip[0]})
    packed(on_hub(mirror, "honglyhly/WorldSense", "worldsense_videos_2.zip"), {"-_second.mp4": clip[1]})
    found = pulled("worldsense", tmp_path / "store", mirror=str(mirror))
    assert {i: (row["question"], row["answer"]) for i, row in found.items()} == {
        "test/aBcdEfGh_task0": ("What happens?", "It rains."),
        "test/aBcdEfGh_task1": ("And then?", "It snows."),
        "test/-_second_task0": ("What happens?", "It snows."),
    }
    assert found["test/-_second_task0"]["labels"] == ["Sports", "Running", "Event Recognition"]
    assert all("video_caption" in extra(row) for row in found.values())


@pytest.mark.parametrize(
    ("name", "repo", "more", "identity"),
    [
        ("msrvtt_mteb", "mteb/MSR-VTT", {}, "test-00000-of-00001_0"),
        ("audiocaps_av", "mteb/AudioCaps_AV", {"youtube_id": "-abcDEF_123", "start_time": 30}, "-abcDEF_123_30"),
    ],
)
def test_parquet_with_video_and_sound(
    name: str, repo: str, more: dict[str, Any], identity: str, tmp_path: Path
) -> None:
    mirror = tmp_path / "mirror"
    row = {
        "video": cell(films(1)[0], "a.mp4"),
        "audio": cell(wavs(1)[0], "a.wav"),
        "caption": "a man talks while water runs",
        **more,
    }
    parquet(on_hub(mirror, repo, "data/test-00000-of-00001.parquet"), [row])
    found = pulled(name, tmp_path / "store", mirror=str(mirror))
    [(found_id, sample)] = found.items()
    assert (found_id, sample["captions"]) == (f"test/{identity}", ["a man talks while water runs"])
    assert sample["video"] is not None and sample["audio"] is not None and sample["modality"] == "mixed"
