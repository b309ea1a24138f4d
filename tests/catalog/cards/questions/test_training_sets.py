"""The cards of training sets that ask about sound and video, each in its own files and fields."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import triptych
from support.corpora import noise
from support.natives import cell, json_bytes, json_lines, on_hub, packed, parquet, unpacked
from support.pulls import asked, extra, pulled, reasons, rows_of
from triptych.errors import UsageError

# ---- Audio-Reasoner


THOUGHT = (
    "<THINK><PLANNING>Listen.</PLANNING><CAPTION>A dog.</CAPTION><REASONING>It barks.</REASONING>"
    "<SUMMARY>Dog.</SUMMARY></THINK>\n<RESPONSE> A dog barks. </RESPONSE>"
)


def test_audio_reasoner_tells_answer_from_thought_in_either_spelling(tmp_path: Path) -> None:
    mirror, repo = tmp_path / "mirror", "zhifeixie/Audio-Reasoner-CoTA"
    parquet(
        on_hub(mirror, repo, "meld/train-00000-of-00002.parquet"),
        [{"question": "What barks?", "answer": THOUGHT, "audio": cell(noise(1))}],
    )
    parquet(
        on_hub(mirror, repo, "meld/train-00001-of-00002.parquet"),
        [
            {"prompt": "Which?", "options": ["cat", "dog"], "response": THOUGHT, "audio": cell(noise(2))},
            {"prompt": "Who?", "options": None, "response": "Nobody.", "audio": cell(noise(3))},
        ],
    )
    rows = pulled("audio_reasoner", tmp_path / "store", mirror=str(mirror), config="meld")
    assert {i: (row["question"], row["answer"], row["choices"]) for i, row in rows.items()} == {
        "meld/train/train-00000-of-00002_0": ("What barks?", "A dog barks.", None),
        "meld/train/train-00001-of-00002_0": ("Which?", "A dog barks.", ["cat", "dog"]),
        "meld/train/train-00001-of-00002_1": ("Who?", "Nobody.", None),
    }
    first = rows["meld/train/train-00000-of-00002_0"]
    assert first["reasoning"].startswith("<PLANNING>Listen.") and first["reasoning"].endswith("Dog.</SUMMARY>")
    assert extra(first)["planning"] == "Listen." and extra(first)["summary"] == "Dog."


def test_audio_reasoner_passes_over_a_corrupt_file(tmp_path: Path) -> None:
    mirror, repo = tmp_path / "mirror", "zhifeixie/Audio-Reasoner-CoTA"
    for n in (0, 2):
        parquet(on_hub(mirror, repo, f"S2TT/e2z-0000{n}-of-00003.parquet"),
                [{"question": f"q{n}", "answer": f"a{n}", "audio": cell(noise(n))}])  # fmt: skip
    on_hub(mirror, repo, "S2TT/e2z-00001-of-00003.parquet").write_bytes(b"PAR1" + bytes(999) + b"PAR1")
    result = triptych.pull("audio_reasoner", store=tmp_path / "store", mirror=str(mirror), config="S2TT")
    rows = rows_of("audio_reasoner", tmp_path / "store")
    assert {row["answer"] for row in rows.values()} == {"a0", "a2"}
    assert len(result.damaged) == 1 and "e2z-00001" in result.damaged[0]
    assert reasons(tmp_path / "store") == {"e2z-00001-of-00003.parquet": "corrupt_parquet"}


def test_audio_reasoner_is_pulled_by_configuration(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="pulled by configuration"):
        triptych.pull("audio_reasoner", store=tmp_path / "store", mirror=str(tmp_path))


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
        "train_qa.json": json_bytes(train),
        "val_qa.json": json_bytes([row(7, "gone_GONE-__000001", ["yes", "no"], 1)]),
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
    on_hub(mirror, repo, "data.jsonl").write_bytes(json_lines(rows))
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

    found = {**AUDIOMCQ, "audio_path": "AudioCaps/12.wav", "structured_cot": "So."}
    tree = {"datasets/sound.jsonl": json_lines([found]), "AudioCaps/12.wav": heard[0]}
    tree["data.jsonl"] = json_lines(rows[:1])
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
        "audioskills_xl/ESC-50.json": json_bytes([
            row("1", "1.wav", "Which?\n(A) a dog. (B) a cat.", "(B) a cat."),
            row("1", "1.wav", "What is it (roughly)?", "A cat, e.g. (A) tabby."),
            row("1", "1.wav", "Which?\n(A) a dog. (B) a cat.", "(A) a cat."),
        ]),
        "audioskills_xl/MELD.json": json_bytes([row("1", "dia0/1.wav", "Who?", "Joey")]),
        "afthink/ESC-50.json": json_bytes([row("1", "1.wav", f"Why? {think}", "It purrs. So it is a cat.")]),
        "afthink/counts_report.json": json_bytes({"ESC-50": 1}),
        "afcot/ESC50.json": json_bytes([row("1", "1.wav", f"How many?\n(A) one\n(B) two {close}", tags)]),
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
        on_hub(mirror, repo, f"{config}/{name}").write_bytes(json_bytes(rows))
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
