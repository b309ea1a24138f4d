"""Training files of MS-SWIFT and of our own come in with everything they say, or say why a row cannot."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from support.training import Row, assistant, one, paths, read, refused, system, user
from triptych.converters.candidate import Candidate

# ---- unified


def test_a_unified_row_keeps_every_field_and_the_path_of_its_media(tmp_path: Path) -> None:
    row = {"id": "a1", "text": "hi", "audio": "/x/a.wav", "video": None, "modality": "audio", "snr": 3, "speaker": "s"}
    found = one("unified", row, tmp_path)
    assert (found.source_id, paths(found)) == ("a1", [("audio", "/x/a.wav")])
    assert found.fields == {"text": "hi", "modality": "audio", "speaker": "s", "extra": {"snr": "3"}}


@pytest.mark.parametrize(
    ("media", "stated", "modality", "kept"),
    [
        ({"audio": "/a.wav"}, "mixed", None, "mixed"),
        ({"video": "/v.mp4"}, "mixed", "mixed", None),
        ({"video": "/v.mp4"}, "video", "video", None),
        ({"audio": "/a.wav", "video": "/v.mp4"}, "audio", None, "audio"),
        ({"audio": "/a.wav"}, "speech", None, "speech"),
        ({}, "text", "text", None),
    ],
)
def test_a_modality_that_the_media_belies_is_kept_aside(
    media: Row, stated: str, modality: str | None, kept: str | None, tmp_path: Path
) -> None:
    found = one("unified", {"id": "a", "text": "t", "modality": stated, **media}, tmp_path)
    assert found.fields["modality"] == modality
    assert found.fields.get("extra", {}).get("stated_modality") == kept


def test_the_nan_of_old_csv_conversions_is_null(tmp_path: Path) -> None:
    path = tmp_path / "old.jsonl"
    path.write_text('{"id": "sample_00000", "modality": "audio", "text": NaN, "audio": "/a.wav", "video": NaN}\n')
    (found,) = read("unified", path)
    assert isinstance(found, Candidate) and found.fields == {"modality": "audio"}
    assert paths(found) == [("audio", "/a.wav")]


def test_a_conversation_is_no_unified_row(tmp_path: Path) -> None:
    assert refused("unified", {"messages": [user("q"), assistant("a")]}, tmp_path) == "other_format"


# ---- msswift


def test_a_conversation_that_is_stored_as_an_object_of_lists_is_read_turn_by_turn(tmp_path: Path) -> None:
    stored = {"from": ["human", "gpt"], "value": ["<audio>Who?", "Ann."], "loss": [None, False]}
    found = one("conversation", {"conversations": stored, "audios": ["/a.wav"]}, tmp_path)
    assert found.fields["messages"] == [user("<audio>Who?"), assistant("Ann.")]
    assert json.loads(found.fields["extra"]["message_keys"]) == [{}, {"loss": False}]
    uneven = {"from": ["human", "gpt"], "value": ["<audio>Who?"]}
    assert refused("conversation", {"conversations": uneven, "audios": ["/a.wav"]}, tmp_path) == "bad_messages"


def test_an_sft_row_gives_its_conversation_and_its_one_exchange(tmp_path: Path) -> None:
    messages = [system("Be brief."), user("<audio><audio>Same speaker?"), assistant("Yes.")]
    found = one("msswift", {"messages": messages, "audios": ["/a.wav", "/b.wav"], "channel": "x"}, tmp_path)
    assert found.fields["messages"] == messages
    assert (found.fields["question"], found.fields["answer"]) == ("Same speaker?", "Yes.")
    assert paths(found) == [("audio", "/a.wav"), ("audio", "/b.wav")]
    assert found.fields["extra"] == {"channel": "x"}


def test_the_solution_of_a_grpo_row_is_the_answer_and_the_last_turn(tmp_path: Path) -> None:
    row = {"messages": [user("<audio>Which?")], "audios": ["/a.wav"], "solution": "dog", "task": "qa", "language": "en"}
    found = one("msswift", row, tmp_path)
    assert found.fields["messages"] == [user("<audio>Which?"), assistant("dog")]
    assert {key: found.fields[key] for key in ("question", "answer", "task", "language")} == {
        "question": "Which?", "answer": "dog", "task": "qa", "language": "en",
    }  # fmt: skip


def test_a_prompt_without_solution_stays_one(tmp_path: Path) -> None:
    found = one("msswift", {"messages": [user("What is 1+1?")]}, tmp_path)
    assert found.fields["messages"] == [user("What is 1+1?")] and "answer" not in found.fields


ASKED = [user("<audio>q"), assistant("good")]


@pytest.mark.parametrize(
    "rejected",
    [
        {"rejected_response": "bad"},
        {"rejected_response": [assistant("bad")]},
        {"rejected_messages": [user("<audio>q"), assistant("bad")], "rejected_audios": ["/a.wav"]},
        {"rejected_messages": [user("<audio>q"), assistant("bad")]},
    ],
)
def test_every_spelling_of_the_rejected_side_gives_chosen_and_rejected(rejected: Row, tmp_path: Path) -> None:
    found = one("msswift", {"messages": ASKED, "audios": ["/a.wav"], **rejected}, tmp_path)
    assert (found.fields["chosen"], found.fields["rejected"]) == ("good", "bad")
    assert found.fields["messages"] == ASKED and paths(found) == [("audio", "/a.wav")]


def test_a_null_rejected_side_is_none(tmp_path: Path) -> None:
    """Arrow fills it in where pairs and plain rows lie in one file."""
    found = one("msswift", {"messages": ASKED, "audios": ["/a.wav"], "rejected_response": None}, tmp_path)
    assert "rejected" not in found.fields and "chosen" not in found.fields


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"messages": []}, "no_messages"),
        ({"messages": [{"role": "teacher", "content": "x"}]}, "unknown_role"),
        ({"messages": [{"role": "user", "content": None}]}, "null_content"),
        ({"messages": ["hello"]}, "bad_messages"),
        ({"messages": "not a list"}, "bad_messages"),
        ({"messages": [user("<audio><audio>q"), assistant("a")], "audios": ["/a.wav"]}, "tag_without_media"),
        ({"messages": [user("<audio>q"), assistant("a")]}, "tag_without_media"),
        ({"messages": [user("<audio&gt;q"), assistant("a")], "audios": ["/a.wav"]}, "escaped_tag"),
        ({"query": "&lt;audio&gt;q", "response": "a", "audios": ["/a.wav"]}, "escaped_tag"),
        ({"messages": ASKED, "audios": ["/a"], "rejected_response": "good "}, "rejected_equals_answer"),
        ({"messages": ASKED, "audios": ["/a"], "rejected_response": [assistant("x"), assistant("y")]}, "many_answers"),
        ({"messages": ASKED, "audios": ["/a"], "rejected_messages": [user("other"), assistant("b")]}, "other_prompt"),
        ({"messages": ASKED, "audios": ["/a"], "rejected_response": "b", "rejected_audios": ["/b"]}, "other_media"),
        ({"messages": [user("q")], "rejected_response": "b"}, "no_answer"),
        (
            {"messages": [user([{"type": "audio", "audio": "/a.wav"}]), assistant("a")], "audios": ["/b.wav"]},
            "media_twice",
        ),
    ],
)
def test_a_row_that_says_two_things_or_nothing_is_rejected_with_its_line(row: Row, reason: str, tmp_path: Path) -> None:
    assert refused("msswift", row, tmp_path) == reason


@pytest.mark.parametrize(
    ("given_messages", "expected"),
    [
        ([{"from": "human", "value": "q"}, {"from": "gpt", "value": "a"}], [user("q"), assistant("a")]),
        ([{"human": "q", "assistant": "a"}, {"human": "r", "assistant": "b"}],
         [user("q"), assistant("a"), user("r"), assistant("b")]),
        ("[{'role': 'user', 'content': 'q'}, {'role': 'assistant', 'content': 'a'}]", [user("q"), assistant("a")]),
        ('[{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]', [user("q"), assistant("a")]),
    ],
)  # fmt: skip
def test_messages_in_any_spelling(given_messages: Any, expected: list[Row], tmp_path: Path) -> None:
    assert one("msswift", {"messages": given_messages}, tmp_path).fields["messages"] == expected


@pytest.mark.parametrize(
    "part",
    [
        {"type": "audio", "audio": "/a.wav"},
        {"type": "audio", "audio_url": "/a.wav"},
        {"type": "audio_url", "audio_url": {"url": "/a.wav"}},
        {"type": "audio", "path": "/a.wav"},
        {"audio": "/a.wav"},
    ],
)
def test_content_parts_give_tags_and_media_even_where_a_trainer_would_drop_them(part: Row, tmp_path: Path) -> None:
    row = {"messages": [user([part, {"type": "text", "text": "What?"}]), assistant("a")]}
    found = one("msswift", row, tmp_path)
    assert found.fields["messages"][0]["content"] == "<audio>What?"
    assert paths(found) == [("audio", "/a.wav")]


def test_missing_tags_go_where_ms_swift_puts_them(tmp_path: Path) -> None:
    messages = [system("s"), user("hi"), assistant("y"), user("<audio>b"), assistant("z")]
    found = one("msswift", {"messages": messages, "audios": ["/a.wav", "/b.wav"]}, tmp_path)
    assert [m["content"] for m in found.fields["messages"]] == ["s", "<audio>hi", "y", "<audio>b", "z"]


def test_keys_of_messages_that_a_sample_has_no_room_for_are_kept_aside(tmp_path: Path) -> None:
    row = {"messages": [user("q"), {**assistant("a"), "loss": False}]}
    assert json.loads(one("msswift", row, tmp_path).fields["extra"]["message_keys"]) == [{}, {"loss": False}]
