"""The cards of questions about sound and video, each on a small corpus in its own files and fields."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import triptych
from support.imported import noise, sound, video
from support.natives import (
    csv_bytes,
    extra,
    on_host,
    on_hub,
    packed,
    parquet,
    pulled,
    reasons,
    rows_of,
    summed,
    unpacked,
)
from triptych.catalog.registry import get_card
from triptych.errors import UsageError

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAIAAAACCAIAAAD91JpzAAAAFElEQVR4nGP8z8DAwMDAxAADCBYAG10BBdmz9y8AAAAASUVORK5CYII="
)
"""A picture of two by two points."""

Asked = tuple[str | None, list[str] | None, str | None]


@pytest.fixture(scope="module")
def heard(tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    """Short sounds, all different."""
    folder = tmp_path_factory.mktemp("sounds")
    return [sound(folder / f"{n}.wav", noise(0.1, seed=n)).read_bytes() for n in range(4)]


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    """Short videos with sound, all different."""
    folder = tmp_path_factory.mktemp("videos")
    return [video(folder / f"{n}.mp4", seed=n, with_sound=True).read_bytes() for n in range(3)]


def asked(rows: Mapping[str, Mapping[str, Any]]) -> dict[str, Asked]:
    return {identity: (row["question"], row["choices"], row["answer"]) for identity, row in rows.items()}


def lines(rows: Sequence[Mapping[str, Any]]) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def as_json(rows: Any) -> bytes:
    return json.dumps(rows).encode()


# ---- evaluation sets


def mmau_row(identity: str, choices: list[str], answer: str | None, data: bytes) -> dict[str, Any]:
    about = {"id": identity, "task": "sound", "category": "Reasoning", "sub-category": "Temporal Event Reasoning",
             "difficulty": "medium", "dataset": "AudioSet", "split": "test-mini"}  # fmt: skip
    return {"context": {"bytes": data, "path": "a.wav"}, "instruction": f"What is {identity}?", "choices": choices,
            "answer": answer, "other_attributes": json.dumps(about)}  # fmt: skip


def test_mmau_of_2025_has_letters_before_its_choices_and_is_no_training_data(
    tmp_path: Path, heard: list[bytes]
) -> None:
    mirror = tmp_path / "mirror"
    rows = [
        mmau_row("3fe6", ["(A) Man", "(B) Woman", "(C) Robot"], "(B) Woman", heard[0]),
        mmau_row("72fb", ["(A) Rain", "(B) Rain"], "(B) Rain", heard[1]),
    ]
    parquet(on_hub(mirror, "gamma-lab-umd/MMAU-test-mini", "test_mini.parquet"), rows)
    hidden = [
        mmau_row("9593", ["(A) Dog", "(B) Cat"], None, heard[2]),
        mmau_row("0001", ["(A) x", "(B) y"], "", heard[3]),
    ]
    parquet(on_hub(mirror, "gamma-lab-umd/MMAU-test", "data/test-00000-of-00001.parquet"), hidden)
    found = pulled("mmau", tmp_path / "store", mirror=summed(mirror))
    assert asked(found) == {
        "v05.15.25/test_mini/3fe6": ("What is 3fe6?", ["Man", "Woman", "Robot"], "Woman"),
        "v05.15.25/test_mini/72fb": ("What is 72fb?", ["Rain", "Rain"], "Rain"),
    }
    assert {tuple(row["labels"]) for row in found.values()} == {
        ("sound", "Reasoning", "Temporal Event Reasoning", "medium")
    }
    whole = triptych.export("msswift", task="sft", store=tmp_path / "store")
    assert any("come from validation or test splits" in warning for warning in whole.warnings)
    with pytest.raises(UsageError, match="matches no sample"):
        triptych.export("msswift", task="sft", split="train", store=tmp_path / "store")
    found = pulled("mmau", tmp_path / "store", mirror=str(mirror), config="v05.15.25-full")
    assert {identity: row["answer"] for identity, row in found.items() if "/test/" in identity} == {
        "v05.15.25-full/test/9593": None, "v05.15.25-full/test/0001": None,
    }  # fmt: skip


@pytest.mark.parametrize("name", ["mmau", "mmar", "mmsu", "video_mme"])
def test_every_split_of_an_evaluation_set_is_a_test(name: str) -> None:
    splits = get_card(name).splits
    assert set(splits.values()) == {"test"} and not any("train" in split for split in splits)


MMAU_JSON = {"question": "What is heard?", "dataset": "AudioSet", "task": "music", "category": "Reasoning",
             "sub-category": "Genre", "difficulty": "easy"}  # fmt: skip


def test_mmau_of_2024_from_the_copy_and_from_its_own_files(tmp_path: Path, heard: list[bytes]) -> None:
    mirror = tmp_path / "mirror"
    choices = ["D major", "A. Bach", "3", "2"]
    row = {**MMAU_JSON, "id": "5f1e", "answer": "2", "split": "test-mini"}
    copied = {**row, "audio": {"bytes": heard[0], "path": "5f1e.wav"}, "choices": json.dumps(choices)}
    parquet(on_hub(mirror, "lmms-lab/mmau", "data/test_mini-00000-of-00001.parquet"), [copied])
    parquet(on_hub(mirror, "lmms-lab/mmau", "data/test-00000-of-00002.parquet"), [{**copied, "id": "77aa"}])
    found = pulled("mmau", tmp_path / "store", mirror=str(mirror), config="original")
    expected = ("What is heard?", choices, "2")
    assert asked(found) == {"original/test_mini/5f1e": expected, "original/test/77aa": expected}
    tree = {
        "mmau-test-mini.json": as_json([{**row, "audio_id": "./test-mini-audios/5f1e.wav", "choices": choices}]),
        "test-mini-audios/5f1e.wav": heard[0],
    }
    own = pulled("mmau", tmp_path / "own", from_path=unpacked(tmp_path / "tree", tree), config="original")
    assert asked(own) == {"original/test_mini/5f1e": expected}
    assert own["original/test_mini/5f1e"]["labels"] == ["music", "Reasoning", "Genre", "easy"]


MMAR = {"question": "Why?", "modality": "speech", "category": "Semantic Layer", "sub-category": "Content Analysis",
        "source": "youtube", "url": "https://www.youtube.com/watch?v=x", "timestamp": "00:00:00,00:00:06"}  # fmt: skip


def test_mmar_with_the_reasoning_of_its_authors(tmp_path: Path, heard: list[bytes]) -> None:
    mirror = tmp_path / "mirror"
    thought = {"thinking": "He laughs.", "cue": ["laughter"], "rubric": [{"name": "Cue", "choices": [0, 1]}]}
    spoken = {"qx8_00-01-32": None, "6kI_00-00-00": "en", "zh_00-00-01": "zh|en", "kr_00-00-01": "kr"}
    rows = [
        {**MMAR, **thought, "id": name, "audio_path": f"./audio/{name}.wav", "choices": ["Too little", "Too much"],
         "answer": "Too much", "language": language}
        for name, language in spoken.items()
    ]  # fmt: skip
    clips = {f"audio/{name}.wav": data for name, data in zip(spoken, heard, strict=True)}
    packed(on_hub(mirror, "BoJack/MMAR", "mmar-audio.tar.gz"), clips)
    on_host(mirror, "https://raw.githubusercontent.com/ddlBoJack/MMAR/main/MMAR-meta.jsonl").write_bytes(lines(rows))
    found = pulled("mmar", tmp_path / "store", mirror=summed(mirror))
    assert {identity: (row["language"], extra(row).get("spoken")) for identity, row in found.items()} == {
        f"test/{name}": ({"kr": "ko", "en": "en"}.get(str(language)), language) for name, language in spoken.items()
    }
    assert {(row["reasoning"], row["answer"]) for row in found.values()} == {("He laughs.", "Too much")}
    assert {json.loads(extra(row)["cue"])[0] for row in found.values()} == {"laughter"}

    older = [{key: value for key, value in row.items() if key not in thought} for row in rows[:1]]
    tree = unpacked(tmp_path / "tree", {"MMAR-meta.json": as_json(older), **dict(list(clips.items())[:1])})
    own = pulled("mmar", tmp_path / "own", from_path=tree)
    assert {identity: row["reasoning"] for identity, row in own.items()} == {"test/qx8_00-01-32": None}


def test_mmsu_whose_answers_are_texts_even_if_they_are_numbers(tmp_path: Path, heard: list[bytes]) -> None:
    about = {"task_name": "age", "category": "Perception", "sub-category": "Paralinguistics",
             "sub-sub-category": "Speaker Traits", "linguistics_sub_discipline": "Paralinguistics"}  # fmt: skip
    rows = [
        {"id": "a_1", "question": "Who?", "choice_a": None, "choice_b": "male", "choice_c": "", "choice_d": "female",
         "answer_gt": "female", **about},
        {"id": "a_2", "question": "How many?", "choice_a": "1", "choice_b": "2", "choice_c": "3", "choice_d": "None",
         "answer_gt": "2", **about},
    ]  # fmt: skip
    mirror = tmp_path / "mirror"
    embedded = [{**row, "audio": {"bytes": heard[n], "path": "x.wav"}} for n, row in enumerate(rows)]
    parquet(on_hub(mirror, "ddwang2000/MMSU", "data/train-00000-of-00001.parquet"), embedded)
    found = pulled("mmsu", tmp_path / "store", mirror=str(mirror))
    expected = {"test/a_1": ("Who?", ["male", "female"], "female"),
                "test/a_2": ("How many?", ["1", "2", "3", "None"], "2")}  # fmt: skip
    assert asked(found) == expected
    assert found["test/a_1"]["labels"] == list(about.values())

    counted = {**rows[1], "choice_a": 1, "choice_b": 2, "choice_c": 3, "answer_gt": 2}
    tree = {
        "question/mmsu.jsonl": lines([
            {**row, "audio_path": f"/audio/{row['id']}.wav"} for row in (rows[0], counted)
        ]),
        "audio/a_1.wav": heard[0], "audio/a_2.wav": heard[1],
    }  # fmt: skip
    assert asked(pulled("mmsu", tmp_path / "own", from_path=unpacked(tmp_path / "tree", tree))) == expected


def test_video_mme_with_a_video_that_is_missing(tmp_path: Path, seen: list[bytes]) -> None:
    mirror = tmp_path / "mirror"
    repo = "lmms-eval/Video-MME"
    rows = [
        {"video_id": video_id, "duration": "short", "domain": "Knowledge", "sub_category": "Humanity & History",
         "url": f"https://www.youtube.com/watch?v={name}", "videoID": name, "question_id": f"{video_id}-{n}",
         "task_type": "Counting Problem", "question": f"How many? {n}",
         "options": ["A. Apples.", "B. Candles.", "C. Berries.", "D. The three kinds are of the same number."],
         "answer": letter}
        for video_id, name, n, letter in (("001", "fFjv93ACGo8", 1, "C"), ("001", "fFjv93ACGo8", 2, "A"),
                                          ("002", "-N1cdUjctpG8", 1, "D"), ("003", "gone_gone", 1, "B"))
    ]  # fmt: skip
    parquet(on_hub(mirror, repo, "videomme/test-00000-of-00001.parquet"), rows)
    packed(on_hub(mirror, repo, "videos_chunked_01.zip"), {"data/fFjv93ACGo8.mp4": seen[0]})
    packed(on_hub(mirror, repo, "videos_chunked_02.zip"), {"data/-N1cdUjctpG8.MP4": seen[1]})
    found = pulled("video_mme", tmp_path / "store", mirror=str(mirror))
    assert {identity: row["answer"] for identity, row in found.items()} == {
        "test/001-1": "Berries.", "test/001-2": "Apples.", "test/002-1": "The three kinds are of the same number.",
    }  # fmt: skip
    assert found["test/001-1"]["video"]["sha256"] == found["test/001-2"]["video"]["sha256"]
    assert found["test/001-1"]["labels"] == ["Knowledge", "Humanity & History", "Counting Problem", "short"]
    assert reasons(tmp_path / "store") == {"003-1": "no_media"}


# ---- training sets


def test_avqa_whose_answers_are_numbers_of_choices(tmp_path: Path, seen: list[bytes], heard: list[bytes]) -> None:
    def row(number: int, name: str, choices: list[str], answer: int) -> dict[str, Any]:
        return {
            "id": number, "video_name": name, "video_id": 341, "question_text": "How many?", "multi_choice": choices,
            "answer": answer, "question_relation": "Both", "question_type": "Which",
        }  # fmt: skip

    train = [
        row(183, "-HG3Omg_89c_000030", ["3", "One", "4", "2"], 2),
        row(184, "-HG3Omg_89c_000030", ["cat", "dog", "cow", "hen"], 0),
        row(185, "abcdefghij__000100", ["cat", "dog", "cow", "hen"], 3),
    ]
    tree = {
        "train_qa.json": as_json(train),
        "val_qa.json": as_json([row(7, "gone_GONE-__000001", ["yes", "no"], 1)]),
        "videos/-HG3Omg_89c_000030.mp4": seen[0],
        "wavs/abcdefghij__100.wav": heard[0],
    }
    found = pulled("avqa", tmp_path / "store", from_path=unpacked(tmp_path / "tree", tree))
    assert {identity: row["answer"] for identity, row in found.items()} == {
        "train/-HG3Omg_89c_000030_183": "4", "train/-HG3Omg_89c_000030_184": "cat",
        "train/abcdefghij__000100_185": "hen",
    }  # fmt: skip
    assert found["train/-HG3Omg_89c_000030_183"]["labels"] == ["Both", "Which"]
    assert {row["id"][-3:]: row["modality"] for row in found.values()} == {
        "183": "mixed", "184": "mixed", "185": "audio",
    }  # fmt: skip
    assert reasons(tmp_path / "store") == {"gone_GONE-__000001_7": "no_media"}


AUDIOMCQ = {"source_dataset": "AudioCaps", "id": "12", "question_type": "sound", "question": "What is heard?",
            "choices": ["Water", "Wind"], "answer": "Wind", "audio-contribution": "strong"}  # fmt: skip


def test_audiomcq_with_loose_clips_on_the_hub(tmp_path: Path, heard: list[bytes]) -> None:
    mirror, repo = tmp_path / "mirror", "Harland/AudioMCQ-StrongAC-GeminiCoT"
    rows = [
        {**AUDIOMCQ, "audio_path": "AudioCaps/12.wav", "gemini_cot": "It blows."},
        {**AUDIOMCQ, "audio_path": "AudioCaps/12.wav", "gemini_cot": "It hisses.", "answer": "Water"},
        {**AUDIOMCQ, "source_dataset": "Tacos", "audio_path": "Tacos/12.wav", "gemini_cot": "Leaves."},
        {**AUDIOMCQ, "source_dataset": "Tacos", "id": "13", "audio_path": "Tacos/13.wav", "gemini_cot": "?"},
    ]
    on_hub(mirror, repo, "data.jsonl").write_bytes(lines(rows))
    on_hub(mirror, repo, "AudioCaps/12.wav").write_bytes(heard[0])
    on_hub(mirror, repo, "Tacos/12.wav").write_bytes(heard[1])
    found = pulled("audiomcq", tmp_path / "store", mirror=str(mirror))
    assert {identity: (row["answer"], row["reasoning"]) for identity, row in found.items()} == {
        "strongac/train/AudioCaps_12_0": ("Wind", "It blows."),
        "strongac/train/AudioCaps_12_1": ("Water", "It hisses."),
        "strongac/train/Tacos_12_2": ("Wind", "Leaves."),
    }
    shas = {identity[-1]: row["audio"]["sha256"] for identity, row in found.items()}
    assert shas["0"] == shas["1"] != shas["2"]
    assert extra(found["strongac/train/Tacos_12_2"])["audio-contribution"] == "strong"
    assert reasons(tmp_path / "store") == {"Tacos_13_3": "no_media"}

    tree = {"datasets/sound.jsonl": lines([{**AUDIOMCQ, "audio_path": "AudioCaps/12.wav", "structured_cot": "So."}]),
            "AudioCaps/12.wav": heard[0]}  # fmt: skip
    tree["data.jsonl"] = lines(rows[:1])
    own = pulled("audiomcq", tmp_path / "own", from_path=unpacked(tmp_path / "tree", tree), config=["strongac", "full"])
    assert {identity: row["reasoning"] for identity, row in own.items()} == {
        "full/train/AudioCaps_12_0": "So.", "strongac/train/AudioCaps_12_0": "It blows.",
    }  # fmt: skip


def talk(question: str, answer: str, tag: str = "<sound>") -> list[dict[str, str]]:
    return [{"from": "human", "value": f"{tag}\n{question}"}, {"from": "gpt", "value": answer}]


def test_audioskills_and_af_think(tmp_path: Path, heard: list[bytes]) -> None:
    def row(identity: str, file: str, question: str, answer: str) -> dict[str, Any]:
        return {"id": identity, "sound": file, "duration": 10, "conversations": talk(question, answer)}

    tags = "<SUMMARY>s</SUMMARY><CAPTION>c</CAPTION><REASONING>r</REASONING><CONCLUSION>(B) two</CONCLUSION>"
    think = "Please think and reason about the input audio before you respond."
    close = "Output the answer with <SUMMARY>, <CAPTION>, <REASONING>, and <CONCLUSION> tags."
    tree = {
        "audioskills_xl/ESC-50.json": as_json([
            row("1", "1.wav", "Which?\n(A) a dog. (B) a cat.", "(B) a cat."),
            row("1", "1.wav", "What is it (roughly)?", "A cat, e.g. (A) tabby."),
            row("1", "1.wav", "Which?\n(A) a dog. (B) a cat.", "(A) a cat."),
        ]),
        "audioskills_xl/MELD.json": as_json([row("1", "dia0/1.wav", "Who?", "Joey")]),
        "afthink/ESC-50.json": as_json([row("1", "1.wav", f"Why? {think}", "It purrs. So it is a cat.")]),
        "afthink/counts_report.json": as_json({"ESC-50": 1}),
        "afcot/ESC50.json": as_json([row("1", "1.wav", f"How many?\n(A) one\n(B) two {close}", tags)]),
        "ESC-50/1.wav": heard[0], "ESC50/1.wav": heard[0], "MELD/dia0/1.wav": heard[1],
    }  # fmt: skip
    folder, store = unpacked(tmp_path / "tree", tree), tmp_path / "store"
    found = pulled("audioskills", store, from_path=folder, config=["audioskills_xl", "afthink", "afcot"])
    assert asked(found) == {
        "audioskills_xl/train/ESC-50/1_0_0": ("Which?", ["a dog.", "a cat."], "a cat."),
        "audioskills_xl/train/ESC-50/1_1_0": ("What is it (roughly)?", None, "A cat, e.g. (A) tabby."),
        "audioskills_xl/train/MELD/1_0_0": ("Who?", None, "Joey"),
        "afthink/train/ESC-50/1_0_0": ("Why?", None, "It purrs. So it is a cat."),
        "afcot/train/ESC50/1_0_0": ("How many?", ["one", "two"], "two"),
    }
    chapters = found["afcot/train/ESC50/1_0_0"]
    assert (chapters["reasoning"], chapters["labels"]) == ("r", ["ESC50"])
    assert extra(chapters)["summary"] == "s" and "asked" not in extra(chapters)
    assert found["audioskills_xl/train/MELD/1_0_0"]["audio"] != chapters["audio"]
    assert reasons(store) == {"ESC-50.json:1, record 3": "bad_value"}


def test_llava_video_asks_several_questions_about_a_video(tmp_path: Path, seen: list[bytes]) -> None:
    mirror, repo, config = tmp_path / "mirror", "lmms-lab/LLaVA-Video-178K", "0_30_s_academic_v0_1"
    place = "academic_source/youcook2/101/zukEQgbWdsY/split_2.mp4"
    only = "Please respond with only the letter of the correct answer."
    both = "Please provide your answer by stating the letter followed by the full option."

    def row(said: list[dict[str, str]], file: str = place) -> dict[str, Any]:
        return {"id": "101-zukEQgbWdsY-split_2", "conversations": said, "data_source": config, "video": file}

    choices = [
        *talk(f"What is on the arm?\nA. A tattoo\nB. A watch\n{only}", "A.", "<image>"),
        *talk(f"Which colour?\nA. Black\nB. Red\n{both}", "B. Red.", "")[:2],
        *talk(f"Which colour?\nA. Black\nB. Red\n{both}", "A. Red.", ""),
    ]
    files = {
        f"{config}_cap_processed.json": [row(talk("Describe it.", "A pan.", "<image>"))],
        "0_30_s_academic_oe_v0_1_qa_processed.json": [row(talk("How?", "Slowly.", "<image>"), "gone.mp4")],
        "0_30_s_academic_mc_v0_1_qa_processed.json": [row(choices)],
    }
    for name, rows in files.items():
        on_hub(mirror, repo, f"{config}/{name}").write_bytes(as_json(rows))
    packed(on_hub(mirror, repo, f"{config}/{config}_videos_1.tar.gz"), {place: seen[0], "other/unused.mp4": seen[1]})
    found = pulled("llava_video_178k", tmp_path / "store", mirror=str(mirror))
    name = "101-zukEQgbWdsY-split_2_0"
    assert asked(found) == {
        f"{config}/caption/{name}_0": ("Describe it.", None, "A pan."),
        f"{config}/multi_choice/{name}_0": ("What is on the arm?", ["A tattoo", "A watch"], "A tattoo"),
        f"{config}/multi_choice/{name}_1": ("Which colour?", ["Black", "Red"], "Red"),
    }
    assert len({row["video"]["sha256"] for row in found.values()}) == 1
    assert reasons(tmp_path / "store") == {
        "0_30_s_academic_mc_v0_1_qa_processed.json:1, record 1": "bad_value", f"{name}_0": "no_media",
    }  # fmt: skip


def test_finevideo_as_descriptions_and_as_questions(tmp_path: Path, seen: list[bytes]) -> None:
    def row(name: str, data: bytes, questions: list[dict[str, str]]) -> dict[str, Any]:
        about = {"description": f"About {name}.", "fps": 24.0, "qAndA": questions, "scenes": [{"title": "one"}]}
        return {"mp4": data, "json": {
            "content_fine_category": "Chemistry", "content_metadata": about, "content_parent_category": "Education",
            "original_video_filename": f"{name}.mp4", "text_to_speech": "hello", "youtube_channel": "them",
            "youtube_title": f"On {name}",
        }}  # fmt: skip

    two = [{"question": "Why?", "answer": "Heat."}, {"question": "Where?", "answer": "Outside."}]
    mirror = tmp_path / "mirror"
    parquet(on_hub(mirror, "HuggingFaceFV/finevideo", "data/train-00000-of-01357.parquet"),
            [row("-Dpap9i2yb4", seen[0], two), row("09KmKSz4r_Y", seen[1], two[:0])])  # fmt: skip
    store = tmp_path / "store"
    pulled("finevideo", store, mirror=str(mirror))
    found = pulled("finevideo", store, mirror=str(mirror), config="questions")
    assert {
        identity: (row["captions"], row["task"]) for identity, row in found.items() if "description" in identity
    } == {
        "description/train/-Dpap9i2yb4": (["About -Dpap9i2yb4."], "captioning"),
        "description/train/09KmKSz4r_Y": (["About 09KmKSz4r_Y."], "captioning"),
    }
    questions = {identity: row for identity, row in found.items() if "questions" in identity}
    assert asked(questions) == {
        "questions/train/-Dpap9i2yb4_0": ("Why?", None, "Heat."),
        "questions/train/-Dpap9i2yb4_1": ("Where?", None, "Outside."),
    }
    whole, part = found["description/train/-Dpap9i2yb4"], questions["questions/train/-Dpap9i2yb4_0"]
    assert whole["video"]["sha256"] == part["video"]["sha256"]
    assert whole["labels"] == part["labels"] == ["Education", "Chemistry"]
    assert extra(whole)["transcript"] == "hello" and whole["text"] is None
    assert "one" in extra(whole)["json"] and "json" not in extra(part)
    again = triptych.pull("finevideo", store=store, mirror=str(mirror), config="questions")
    assert again.account.kept == 0 and rows_of("finevideo", store) == found


# ---- questions about clips of Clotho, about music, and about a frame and its sound


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
        "json_update/avqa-val.json": as_json([
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
