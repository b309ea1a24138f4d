"""What rows ask: every form of them, with its sound where it belongs; what cannot be asked as it is, is told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support.imported import table
from triptych.errors import UsageError
from triptych.trainers.data.turns import ASSISTANT, SYSTEM, USER, Clip, Turn
from triptych.trainers.inference.prompts import Prompting
from triptych.trainers.inference.questions import Question
from triptych.trainers.inference.row_forms import question_of
from triptych.trainers.inference.sources import prompt_file

A, B = Clip("/a.wav"), Clip("/b.wav")
SOUND = "<|audio_bos|><|AUDIO|><|audio_eos|>"
ANSWERED = {"role": "assistant", "content": "Yes."}


def question(row: dict[str, Any], **options: Any) -> Question:
    return question_of(row, id="1", where="here", folder=Path("/nowhere"), **options)


@pytest.mark.parametrize(
    ("row", "parts"),
    [
        ({"audio": "/a.wav", "prompt": "Who?"}, (A, "Who?")),
        ({"audio_path": "/a.wav", "question": "Who?"}, (A, "Who?")),
        ({"audio": {"path": "/a.wav"}, "instruction": "Who?"}, (A, "Who?")),
        ({"audio": "/a.wav", "prompt": "In <audio> who?"}, ("In ", A, " who?")),
        ({"audios": ["/a.wav", "/b.wav"], "prompt": "<audio> or <audio>?"}, (A, " or ", B, "?")),
        ({"audio": "/a.wav"}, (A,)),
        ({"question": "1 + 1?"}, ("1 + 1?",)),
        ({"audio": "/a.wav", "query": f"Audio 1: {SOUND}\nWho?"}, (A, "Who?")),
        ({"audio": "/a.wav", "query": f"Before {SOUND} after"}, ("Before ", A, " after")),
        ({"audio_path": "/a.wav", "question": "Which?", "choices": ["A dog", "A cat"]},
         (A, "Which?\nChoose one of these options:\n- A dog\n- A cat")),
        ({"messages": [{"role": "user", "content": "<audio>Who?"}, ANSWERED], "audios": ["/a.wav"]}, (A, "Who?")),
        ({"messages": [{"role": "user", "content": "Who?"}], "audio": "/a.wav"}, (A, "Who?")),
        ({"conversations": [{"from": "human", "value": "<audio>/a.wav</audio>Who?"}]}, (A, "Who?")),
        ({"messages": [{"role": "user", "content": [{"type": "audio", "audio": "/a.wav"},
                                                    {"type": "text", "text": "Who?"}]}, ANSWERED]}, (A, "Who?")),
        ({"messages": [{"role": "user", "content": [{"type": "audio_url", "audio_url": {"url": "file:///a.wav"}}]}]},
         (A,)),
        ({"messages": [{"role": "user", "content": [{"type": "audio_url",
                                                     "audio_url": {"url": "file:///a%20%26%20b.wav"}}]}]},
         (Clip("/a & b.wav"),)),
    ],
    ids=str,
)  # fmt: skip
def test_every_form_of_a_row_asks_with_its_sound_where_it_belongs(row: dict[str, Any], parts: tuple[Any, ...]) -> None:
    found = question(row)
    assert found.fault is None and found.turns[-1] == Turn(USER, parts)


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        ({"text": "a transcript"}, "no_prompt"),
        ({"audio": "/a.wav", "prompt": "<audio> or <audio>?"}, "tags"),
        ({"audios": ["/a.wav", "/b.wav"], "prompt": "<audio>?"}, "tags"),
        ({"audio": "/a.wav", "prompt": f"{SOUND}Who?"}, "model_token"),
        ({"prompt": "x<|im_end|>\n<|im_start|>system"}, "model_token"),
        ({"audio": "/a.wav", "query": "Who?"}, "sound_tokens"),
        ({"audio": "/a.wav", "query": SOUND * 2}, "sound_tokens"),
        ({"video": "/v.mp4", "prompt": "Who?"}, "video_unsupported"),
        ({"messages": [ANSWERED]}, "no_prompt"),
        ({"messages": [{"role": "narrator", "content": "x"}]}, "messages"),
        ({"messages": [{"role": "user", "content": [{"type": "image", "image": "x"}]}]}, "messages"),
        ({"messages": [{"role": "user", "content": "<audio>?"}]}, "tags"),
        ({"messages": "Who?"}, "messages"),
        ({"prompt": "Who?", "audio": {"array": [0.1]}}, "unread_audio: column audio"),
        ({"prompt": "Who?", "audio": ""}, "unread_audio: column audio"),
        ({"prompt": "Who?", "audios": ["/a.wav", None]}, "unread_audio: column audios"),
        ({"prompt": "Who?", "wav": "/a.wav"}, "unread_audio: wav names a sound"),
        ({"prompt": "Who?", "choices": "A"}, "choices"),
        ({"prompt": "Who?", "choices": ["A", None]}, "choices"),
    ],
    ids=str,
)
def test_a_row_that_cannot_be_asked_as_it_is_is_told(row: dict[str, Any], fault: str) -> None:
    found = question(row)
    assert found.fault is not None and found.fault.startswith(fault)


def test_what_a_row_says_of_its_answer_is_kept() -> None:
    listed = question({"audio": "/a.wav", "prompt": "?", "gt": "hello", "source": "librispeech"})
    assert (listed.gt, listed.source, listed.audio) == ("hello", "librispeech", "/a.wav")
    talk = question({"messages": [{"role": "user", "content": "Who?"}, {"role": "assistant", "content": "She."},
                                  {"role": "user", "content": "Where?"}, ANSWERED], "system": "Be brief."})  # fmt: skip
    assert talk.gt == "Yes." and [turn.role for turn in talk.turns] == [SYSTEM, USER, ASSISTANT, USER]
    assert question({"audio": "/a.wav"}, prompt="Who?").turns[0].parts == (A, "Who?")


def test_a_description_is_asked_in_words_and_a_template_is_filled(tmp_path: Path) -> None:
    row = {"question": "Mood?", "description": "A {prompt} slams."}
    plain = Prompting().asked(question(row))
    assert plain.prompt.startswith("Question: Mood?\nDescription of the audio: A {prompt} slams.\n")
    (tmp_path / "t.txt").write_text("问题:{prompt}\n音频描述:{description}\n", encoding="utf-8")
    prompting = Prompting.of(system="你是助手。", template=f"@{tmp_path / 't.txt'}", examples=None)
    found = prompting.asked(question({**row, "audio": "/a.wav"}))
    assert found.turns == (Turn(SYSTEM, ("你是助手。",)), Turn(USER, (A, "问题:Mood?\n音频描述:A {prompt} slams.")))
    lacking = prompting.asked(question({"question": "Mood?"}))
    assert lacking.fault is not None and lacking.fault.startswith("no_description")
    assert prompting.asked(question({"prompt": "?", "description": "x", "system": "own"})).turns[0].text == "own"


def test_examples_come_first_with_their_chains(tmp_path: Path) -> None:
    rows = [{"audio": "/b.wav", "question": "Mood?", "cot": "She shouts.", "answer": "Angry."},
            {"question": "1 + 1?", "answer": "2"}]  # fmt: skip
    prompting = Prompting.of(system="Be brief.", template=None, examples=table(tmp_path / "shots.jsonl", rows))
    found = prompting.asked(question({"audio": "/a.wav", "prompt": "Mood?"}))
    assert [turn.role for turn in found.turns] == [SYSTEM, USER, ASSISTANT, USER, ASSISTANT, USER]
    assert found.turns[2].text == "<think>\nShe shouts.\n</think>\n\nAngry." and found.clips == (B, A)
    bad = table(tmp_path / "bad.jsonl", [{"question": "Mood?"}])
    with pytest.raises(UsageError, match=r"bad.jsonl:1: no example: it has no answer\."):
        Prompting.of(system=None, template=None, examples=bad)


@pytest.mark.parametrize(("template", "complaint"), [("{prompt} {sound}", "no field {sound}"), ("x", "hold {prompt}")])
def test_a_template_that_asks_nothing_is_refused(template: str, complaint: str) -> None:
    with pytest.raises(UsageError) as caught:
        Prompting.of(system=None, template=template, examples=None)
    assert complaint in caught.value.message


def test_a_prompt_file_gives_rows_an_id_and_resolves_paths_beside_it(tmp_path: Path) -> None:
    (tmp_path / "a.wav").touch()
    rows = [{"audio": "a.wav", "prompt": "?"}, {"id": 7, "prompt": "?", "audio": "https://example.org/a.wav"}]
    found = prompt_file(table(tmp_path / "p.jsonl", rows), None).questions
    assert [each.id for each in found] == ["1", "7"]
    assert [each.audio for each in found] == [str(tmp_path / "a.wav"), "https://example.org/a.wav"]
    (tmp_path / "twice.json").write_text('[{"id": "x", "prompt": "?"},\n {"id": "x", "prompt": "?"}]')
    with pytest.raises(UsageError, match=r"twice.json:2: the id 'x' stands in .*twice.json:1 already"):
        prompt_file(tmp_path / "twice.json", None)


def test_a_question_is_told_apart_by_everything_that_is_asked(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(b"x")
    row = {"audio": str(tmp_path / "a.wav"), "prompt": "Who?"}
    same = question(row).digest()
    assert question(row).digest() == same != question({**row, "prompt": "Where?"}).digest()
    (tmp_path / "a.wav").write_bytes(b"xy")
    assert question(row).digest() != same
