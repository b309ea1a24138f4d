"""Training files of other tools and of our own come in with everything they say, or say why a row cannot."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import triptych
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support import imported
from support.stores import check_accounts, check_media, select
from triptych.converters.candidate import Candidate, RawFile, ReadContext, Rejection
from triptych.converters.readers import get_reader
from triptych.converters.views import ViewOptions, get_view
from triptych.converters.views.batch import RowMaker

Row = dict[str, Any]


def user(content: Any) -> Row:
    return {"role": "user", "content": content}


def assistant(content: Any) -> Row:
    return {"role": "assistant", "content": content}


def system(content: Any) -> Row:
    return {"role": "system", "content": content}


def read(format: str, path: Path, **options: Any) -> list[Candidate | Rejection]:
    """What the reader makes of a file; nothing is probed or stored."""
    raw = RawFile(path.name, path.as_uri(), "", None, lambda: path.open("rb"), path=path)
    return list(get_reader(format).read([raw], ReadContext("mine", **options)))


def one(format: str, row: Row, folder: Path, **options: Any) -> Candidate:
    """The sample of one row."""
    (found,) = read(format, imported.table(folder / "one.jsonl", [row]), **options)
    assert isinstance(found, Candidate), found
    return found


def refused(format: str, row: Row, folder: Path) -> str:
    """Why a row is rejected; the detail names file and line."""
    (found,) = read(format, imported.table(folder / "bad.jsonl", [row]))
    assert isinstance(found, Rejection), found
    assert f"{folder}/bad.jsonl:1" in found.detail
    return found.reason


def paths(candidate: Candidate) -> list[tuple[str, str]]:
    """Kind and path of a candidate's media, as the row names them."""
    return [(kind, blob.name) for kind, blob in candidate.media]


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


# ---- conversation


def test_a_sharegpt_row_with_its_audio_beside_it(tmp_path: Path) -> None:
    talk = [{"from": "human", "value": "<audio>\nWhat's the mood?"}, {"from": "gpt", "value": "Anxious."}]
    found = one("conversation", {"audio": "/a.wav", "conversations": talk}, tmp_path)
    assert found.fields["messages"] == [user("<audio>\nWhat's the mood?"), assistant("Anxious.")]
    assert (found.fields["question"], found.fields["answer"]) == ("What's the mood?", "Anxious.")
    assert paths(found) == [("audio", "/a.wav")]


def test_the_inline_form_of_the_phoneme_scripts(tmp_path: Path) -> None:
    talk = [
        {"from": "user", "value": "<audio>/abs/sa1.wav</audio>请你做语音评测"},
        {"from": "assistant", "value": "sil sh iy"},
    ]
    found = one("conversation", {"conversations": talk}, tmp_path)
    assert found.fields["messages"] == [user("<audio>请你做语音评测"), assistant("sil sh iy")]
    assert (found.fields["question"], found.fields["answer"]) == ("请你做语音评测", "sil sh iy")
    assert paths(found) == [("audio", "/abs/sa1.wav")]


def test_inline_paths_are_stripped_and_kept_in_their_order(tmp_path: Path) -> None:
    value = "<audio> /a.wav </audio><audio>/b.wav</audio> go "
    found = one("conversation", {"conversations": [user(value), assistant("p")]}, tmp_path)
    assert paths(found) == [("audio", "/a.wav"), ("audio", "/b.wav")]
    assert found.fields["messages"][0]["content"] == "<audio><audio> go "


def test_an_inline_path_without_words_is_a_question_without_words(tmp_path: Path) -> None:
    talk = [user("<audio>/a.wav</audio>"), assistant("sil")]
    found = one("conversation", {"conversations": talk}, tmp_path)
    assert found.fields["messages"][0]["content"] == "<audio>" and "question" not in found.fields


PAIR = [user("q"), assistant("good")]


@pytest.mark.parametrize(
    "row",
    [
        {"conversations": [{"from": "human", "value": "q"}], "chosen": {"from": "gpt", "value": "good"},
         "rejected": {"from": "gpt", "value": "bad"}},
        {"prompt": "q", "chosen": "good", "rejected": "bad"},
        {"prompt": [user("q")], "chosen": [assistant("good")], "rejected": [assistant("bad")]},
        {"chosen": PAIR, "rejected": [user("q"), assistant("bad")]},
        {"messages": PAIR, "rejected": "bad"},
    ],
)  # fmt: skip
def test_preference_pairs_of_llama_factory_and_trl(row: Row, tmp_path: Path) -> None:
    found = one("conversation", row, tmp_path)
    assert found.fields["messages"] == PAIR
    assert (found.fields["chosen"], found.fields["rejected"]) == ("good", "bad")


def test_trl_prompt_and_completion_are_a_conversation(tmp_path: Path) -> None:
    row = {"prompt": [user("q")], "completion": [assistant("good")]}
    assert one("conversation", row, tmp_path).fields["messages"] == PAIR


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"text": "no talk"}, "no_messages"),
        ({"conversations": PAIR, "chosen": "another", "rejected": "bad"}, "two_answers"),
        ({"chosen": PAIR, "rejected": [user("other"), assistant("bad")]}, "other_prompt"),
    ],
)
def test_a_conversation_that_does_not_add_up_is_rejected(row: Row, reason: str, tmp_path: Path) -> None:
    assert refused("conversation", row, tmp_path) == reason


# ---- alpaca


def test_an_alpaca_row_is_one_turn_of_instruction_and_input(tmp_path: Path) -> None:
    row = {"instruction": "Translate.", "input": "Guten Tag", "output": "Good day"}
    found = one("alpaca", row, tmp_path)
    assert found.fields["messages"] == [user("Translate.\nGuten Tag"), assistant("Good day")]
    assert (found.fields["question"], found.fields["answer"]) == ("Translate.\nGuten Tag", "Good day")


def test_system_history_and_media_of_an_alpaca_row(tmp_path: Path) -> None:
    row = {
        "instruction": "And the second?", "input": "<audio>", "output": "A cat.", "system": "Listen.",
        "history": [["<audio>What is this?", "A dog."]], "audio_path": ["/a.wav", "/b.wav"],
    }  # fmt: skip
    found = one("alpaca", row, tmp_path)
    assert found.fields["messages"] == [
        system("Listen."), user("<audio>What is this?"), assistant("A dog."), user("And the second?\n<audio>"),
        assistant("A cat."),
    ]  # fmt: skip
    assert paths(found) == [("audio", "/a.wav"), ("audio", "/b.wav")]


def test_a_chain_of_thought_is_told_from_the_answer(tmp_path: Path) -> None:
    chain = "<PLANNING>\np</PLANNING>\n<SUMMARY>\ns</SUMMARY>"
    output = f"<think>\n{chain}\n</think>\n<RESPONSE>\nThe answer is C.</RESPONSE>\n"
    row = {"instruction": "Which?", "input": "<audio>", "output": output, "audio_path": "/a.wav"}
    found = one("alpaca", row, tmp_path)
    assert found.fields["reasoning"] == chain
    assert found.fields["answer"] == "<RESPONSE>\nThe answer is C.</RESPONSE>"
    assert found.fields["messages"][-1]["content"] == output


def test_query_and_response_and_pairs_are_read_as_alpaca(tmp_path: Path) -> None:
    assert one("alpaca", {"query": "q", "response": "good"}, tmp_path).fields["messages"] == PAIR
    assert one("msswift", {"query": "q", "response": ["good", "fine"]}, tmp_path).fields["messages"] == PAIR
    found = one("alpaca", {"instruction": "q", "input": "", "chosen": "good", "rejected": "bad"}, tmp_path)
    assert (found.fields["messages"], found.fields["rejected"]) == (PAIR, "bad")
    assert refused("alpaca", {"output": "an answer to nothing"}, tmp_path) == "no_prompt"


# ---- qa


def test_a_question_its_options_and_its_media(tmp_path: Path) -> None:
    row = {"question": "Which?", "choices": ["dog", "cat"], "answer": "cat", "image": "/i.png", "audio": "/a.wav"}
    found = one("qa", row, tmp_path)
    assert found.fields == {
        "question": "Which?", "choices": ["dog", "cat"], "answer": "cat", "task": "qa", "modality": None,
    }  # fmt: skip
    assert paths(found) == [("audio", "/a.wav"), ("image", "/i.png")]


@pytest.mark.parametrize("key", [1, "1", "B", "(b)", "B."])
@pytest.mark.parametrize("options", [["dog", "cat"], {"A": "dog", "B": "cat"}, '["dog", "cat"]'])
def test_the_key_of_an_option_becomes_its_text(key: Any, options: Any, tmp_path: Path) -> None:
    found = one("qa", {"question_text": "Which?", "multi_choice": options, "answer": key}, tmp_path)
    assert (found.fields["answer"], found.fields["choices"]) == ("cat", ["dog", "cat"])
    assert found.fields["extra"]["answer_key"] == str(key)


@pytest.mark.parametrize(
    ("options", "key", "answer"),
    [
        ({"B": "dog", "A": "cat"}, "A", "cat"),
        ('{"B": "dog", "A": "cat"}', "(a)", "cat"),
        ({"1": "dog", "2": "cat"}, 2, "cat"),
        (["B. dog", "A. cat"], "A", "A. cat"),
        ({"A": "dog", "B": None, "C": "cat"}, "C", "cat"),
        (["dog", "", "cat"], 2, "cat"),
        ({"A": "dog", "B": "cat"}, 1, "cat"),
        ({"A": "dog", "B": "cat"}, "C", None),
        ({"A": "dog", "B": None}, "B", None),
        ({"1": "dog", "2": "cat"}, 0, None),
        ({"A": "B", "B": "A"}, "A", None),
    ],
)
def test_options_are_known_by_their_own_names(options: Any, key: Any, answer: str | None, tmp_path: Path) -> None:
    """Taken by their order, the answer would be that of another option."""
    row = {"question": "Which?", "choices": options, "answer": key}
    if answer is None:
        assert refused("qa", row, tmp_path) == "bad_answer"
    else:
        assert one("qa", row, tmp_path).fields["answer"] == answer


def test_an_answer_that_is_an_option_is_no_key(tmp_path: Path) -> None:
    assert one("qa", {"question": "How many?", "choices": ["2", "1"], "answer": "1"}, tmp_path).fields["answer"] == "1"


def test_the_user_names_the_columns(tmp_path: Path) -> None:
    row = {"q": "Which?", "question": "not this", "a": "cat", "clip": "/a.wav", "nr": 7}
    found = one("qa", row, tmp_path, columns={"q": "question", "a": "answer", "clip": "audio"}, id_column="nr")
    assert (found.fields["question"], found.fields["answer"], paths(found)) == ("Which?", "cat", [("audio", "/a.wav")])
    assert found.source_id == "7"


def test_a_column_that_is_not_there_is_told_before_any_row(tmp_path: Path) -> None:
    path = imported.table(tmp_path / "qa.jsonl", [{"question": "Which?", "answer": "cat"}])
    with pytest.raises(triptych.UsageError, match="no column 'quest'") as caught:
        read("qa", path, columns={"quest": "question"})
    assert caught.value.hint == "did you mean --map question=question?"


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"answer": "a"}, "no_question"),
        ({"question": "Which?", "choices": ["a", "b"], "answer": 5}, "bad_answer"),
        ({"question": "<audio>Which?", "answer": "a"}, "tag_without_media"),
    ],
)
def test_a_question_that_cannot_be_asked_is_rejected(row: Row, reason: str, tmp_path: Path) -> None:
    assert refused("qa", row, tmp_path) == reason


# ---- term chunks

CHUNK = {
    "segment_id": "POD1_S7", "term_chunk_audio": "/c/POD1_S7_term_united_nations_0.30_1.10_ctx1.0s.wav",
    "term_chunk_text": "the united nations met in geneva",
    "term_chunk_audio_ground_truth_terms": ["united nations"], "term_start_time": 0.3, "term_end_time": 1.1,
    "extended_start_time": 0, "extended_end_time": 2.1, "context_seconds": 1.0,
}  # fmt: skip


def test_a_term_chunk_has_its_terms_for_labels_and_keeps_its_times(tmp_path: Path) -> None:
    found = one("termchunks", CHUNK, tmp_path)
    assert found.source_id == "POD1_S7_term_united_nations_0.30_1.10_ctx1.0s"
    assert found.fields["labels"] == ["united nations"]
    assert (found.fields["text"], found.fields["task"]) == ("the united nations met in geneva", "term_retrieval")
    extra = found.fields["extra"]
    assert (extra["segment_id"], extra["term_start_time"], extra["extended_end_time"]) == ("POD1_S7", "0.3", "2.1")
    assert "term_chunk_audio" not in extra


def test_chunks_without_terms_have_no_labels_and_repeated_names_stay_apart(tmp_path: Path) -> None:
    none = {"segment_id": "POD1_S7_no_term_0", "term_chunk_audio": "/c/none.wav", "term_chunk_text": "nations met i",
            "term_chunk_audio_ground_truth_terms": [], "is_no_term_chunk": True, "context_seconds": 0}  # fmt: skip
    path = tmp_path / "merged.json"
    path.write_text(json.dumps([CHUNK, none, CHUNK]))
    first, second, third = read("termchunks", path)
    assert isinstance(first, Candidate) and isinstance(second, Candidate) and isinstance(third, Candidate)
    assert "labels" not in second.fields and second.fields["extra"]["is_no_term_chunk"] == "true"
    assert third.source_id.startswith(f"{first.source_id}#")


def test_samples_to_cut_from_are_read_too(tmp_path: Path) -> None:
    row = {"segment_id": "S1", "text": "met in geneva", "audio": "/w/S1.wav", "begin_time": 3.0, "end_time": 9.0,
           "ground_truth_term": ["geneva"], "has_target": True}  # fmt: skip
    found = one("termchunks", row, tmp_path)
    assert (found.source_id, found.fields["labels"], paths(found)) == ("S1", ["geneva"], [("audio", "/w/S1.wav")])
    assert (found.fields["extra"]["begin_time"], found.fields.get("start_s")) == ("3.0", None)


def test_a_chunk_that_contradicts_itself_is_rejected(tmp_path: Path) -> None:
    assert refused("termchunks", {**CHUNK, "is_no_term_chunk": True}, tmp_path) == "bad_value"
    assert refused("termchunks", {"term_chunk_text": "x"}, tmp_path) == "no_media"


# ---- files

ROWS = [{"question": f"q{n}", "answer": f"a{n}"} for n in range(5)]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("lines.jsonl", "\n".join(map(json.dumps, ROWS))),
        ("lines.json", "\n".join(map(json.dumps, ROWS)) + "\n"),
        ("array.json", json.dumps(ROWS)),
        ("array.jsonl", json.dumps(ROWS, indent=2)),
        ("bom.json", "\ufeff" + json.dumps(ROWS, indent=1)),
        ("wrapped.json", json.dumps({"version": 1, "data": ROWS}, indent=1)),
        ("table.csv", "question,answer\n" + "".join(f"{r['question']},{r['answer']}\n" for r in ROWS)),
    ],
)
def test_lines_and_arrays_are_told_apart_by_how_they_start(name: str, content: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(content, encoding="utf-8")
    found = read("qa", tmp_path / name)
    assert [item.fields["question"] for item in found if isinstance(item, Candidate)] == [r["question"] for r in ROWS]


def test_one_bad_element_of_an_array_is_told_with_its_line_and_stops_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text('[\n{"question": "q", "answer": "a"},\n7,\n{"question": "r", "answer": "b"}\n]\n')
    first, second, third = read("qa", path)
    assert isinstance(first, Candidate) and isinstance(third, Candidate)
    assert isinstance(second, Rejection) and second.reason == "not_an_object" and f"{path}:3" in second.detail


@pytest.mark.parametrize("tail", ['{"question": "c', "", '{"question": "r"} junk]', '{"question": "r"}] []'])
def test_an_array_that_breaks_off_gives_what_came_before_and_says_where(tail: str, tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text('[\n{"question": "q", "answer": "a"},\n' + tail)
    found = read("qa", path)
    assert isinstance(found[0], Candidate) and found[0].fields["question"] == "q"
    last = found[-1]
    assert isinstance(last, Rejection) and last.reason == "bad_json" and last.damaged and f"{path}:" in last.detail


@given(
    rows=st.lists(st.dictionaries(st.text(max_size=8), st.text(max_size=300) | st.integers() | st.none(), max_size=3)),
    indent=st.sampled_from([None, 2]),
)
@settings(max_examples=40, deadline=None)
def test_an_array_read_in_pieces_is_what_json_reads(
    rows: list[Row], indent: int | None, tmp_path_factory: pytest.TempPathFactory
) -> None:
    from triptych.converters.readers.training.records import open_rows
    from triptych.shards import json_stream

    path = tmp_path_factory.mktemp("arrays") / "a.json"
    path.write_text(json.dumps(rows, indent=indent, ensure_ascii=False), encoding="utf-8", newline="")
    whole = json_stream._CHUNK
    json_stream._CHUNK = 7
    try:
        found = [item.values if not isinstance(item, Rejection) else None for item in open_rows(path)]
    finally:
        json_stream._CHUNK = whole
    assert found == [{key: value if value != "" else None for key, value in row.items()} for row in rows]


WORDS = ["<audio>", "<audio>/a</audio>", "user", "assistant", "[1]", "[[", "/a.wav", "\x00", "~nobody/a", "a|", "B"]
PART_KEYS = ["role", "from", "content", "value", "type", "text", "audio", "audio_url", "url", "human", "gpt"]
CELLS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6) | st.sampled_from(WORDS),
    lambda cell: st.lists(cell, max_size=3) | st.dictionaries(st.sampled_from(PART_KEYS), cell, max_size=3),
    max_leaves=6,
)
COLUMNS = [
    "id", "text", "audio", "audios", "video", "modality", "messages", "conversations", "system", "solution",
    "rejected_response", "rejected_messages", "rejected_audios", "chosen", "rejected", "prompt", "completion",
    "instruction", "input", "output", "history", "question", "answer", "choices", "term_chunk_audio",
    "is_no_term_chunk", "split", "start_s", "end_s", "words", "labels", "task",
]  # fmt: skip


@given(st.lists(st.dictionaries(st.sampled_from(COLUMNS), CELLS, max_size=6), min_size=1, max_size=4))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@pytest.mark.parametrize("format", ["unified", "msswift", "conversation", "alpaca", "qa", "termchunks"])
def test_any_row_becomes_a_sample_or_a_rejection(
    format: str, tmp_path_factory: pytest.TempPathFactory, given_rows: list[Row]
) -> None:
    path = imported.table(tmp_path_factory.mktemp("any") / "any.jsonl", given_rows)
    found = read(format, path)
    assert len(found) == len(given_rows)
    for item in found:
        if isinstance(item, Rejection):
            assert item.reason and str(path) in item.detail
        else:
            assert item.source_id and all(kind in ("audio", "video", "image") for kind, _ in item.media)


# ---- round trips


TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="<>\x00"), min_size=1, max_size=40).filter(
    lambda text: text.strip() and not text.startswith("\n")
)


@st.composite
def conversations(draw: st.DrawFn) -> list[Row]:
    """Turns that alternate and end in an answer, perhaps behind a system turn."""
    turns = [system(draw(TEXTS))] if draw(st.booleans()) else []
    for _ in range(draw(st.integers(1, 3))):
        turns += [user(draw(TEXTS)), assistant(draw(TEXTS))]
    return turns


def shown(sample: Row, task: str) -> Row:
    """What the view `msswift` shows of a sample."""
    (made,) = _maker(task).rows([sample])
    assert made.skip is None
    return made.row


@cache
def _maker(task: str) -> RowMaker:
    return RowMaker(get_view("msswift"), ViewOptions(task=task, text="raw"))


@given(
    messages=conversations(), audios=st.integers(0, 3), images=st.integers(0, 2), task=st.sampled_from(["sft", "grpo"])
)
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_what_msswift_shows_of_a_sample_comes_back_and_shows_the_same(
    messages: list[Row], audios: int, images: int, task: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    sample = {
        "id": "x", "modality": "audio" if audios else "text", "messages": messages, "task": "qa",
        "audio_paths": [f"/a{n}.wav" for n in range(audios)] or None,
        "image_paths": [f"/i{n}.png" for n in range(images)] or None, "language": "en",
    }  # fmt: skip
    row = shown(sample, task)
    folder = tmp_path_factory.mktemp("again")
    found = one("msswift", row, folder)
    again = {**sample, "messages": found.fields["messages"]}
    again["audio_paths"] = [name for kind, name in paths(found) if kind == "audio"] or None
    again["image_paths"] = [name for kind, name in paths(found) if kind == "image"] or None
    assert shown(again, task) == row
    if len([m for m in messages if m["role"] == "user"]) == 1:
        assert found.fields["question"] == messages[-2]["content"]


@given(question=TEXTS.map(str.strip).filter(bool), answer=TEXTS, choices=st.none() | st.lists(
    st.text("abcdef gh", min_size=1, max_size=8).filter(str.strip), min_size=1, max_size=4),
    language=st.sampled_from(["en", "zh"]))  # fmt: skip
@settings(max_examples=30, deadline=None)
def test_question_options_and_answer_come_back_from_an_export(
    question: str, answer: str, choices: list[str] | None, language: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    sample = {"id": "x", "modality": "audio", "audio_paths": ["/a.wav"], "task": "qa", "language": language,
              "question": question, "answer": answer, "choices": choices}  # fmt: skip
    row = shown(sample, "sft")
    found = one("msswift", row, tmp_path_factory.mktemp("qa")).fields
    assert (found["question"], found["answer"], found.get("choices")) == (question, answer, choices)


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with speech, video, both, pictures and text, exported as unified and msswift and brought in again."""
    folder = tmp_path_factory.mktemp("trip")
    rows: list[Row] = imported.speech_rows(folder / "in", 3)
    rows.append({"id": "v", "video": str(imported.video(folder / "v.mp4", seed=1)), "text": "a ball", "language": "en"})
    sounding = str(imported.video(folder / "m.mp4", seed=2, with_sound=True))
    rows.append({"id": "m", "video": sounding, "audio": rows[0]["audio"], "text": "both", "language": "en"})
    rows.append({"id": "pair", "audio": [rows[1]["audio"], rows[2]["audio"]], "question": "Same?", "answer": "No"})
    store = imported.bring_in(folder / "store", "first", rows, folder)
    triptych.validate(store=store)
    for view, task in (("unified", None), ("msswift", "sft"), ("msswift", "grpo")):
        made = triptych.export(view, task=task, dataset="first", store=store)
        name = f"{view}-{task}" if task else view
        result = triptych.import_data(view, made.version.data, name=name, store=store)
        assert not result.account.rejected and result.account.kept == made.counts["written"]
    return store


@pytest.mark.parametrize("name", ["unified", "msswift-sft", "msswift-grpo"])
def test_the_parquet_of_an_export_reads_like_its_lines(published: Path, name: str) -> None:
    (data,) = (published / "exports" / name).glob("v1/data.jsonl")
    format = name.partition("-")[0]
    by_lines, by_table = (
        {item.source_id: (item.fields, paths(item)) for item in read(format, path) if isinstance(item, Candidate)}
        for path in (data, data.with_suffix(".parquet"))
    )
    assert by_lines and by_lines == by_table


MEDIA_SQL = "audio.sha256 as audio, video.sha256 as video, [m.sha256 for m in more_media] as more"


@pytest.mark.parametrize("name", ["unified", "msswift-sft", "msswift-grpo"])
def test_media_of_an_export_come_back_byte_for_byte(published: Path, name: str) -> None:
    sql = "select replace(id, '{}/all/first/', 'first/') as id, {} from samples where dataset = '{}' order by id"
    again = {row.pop("id"): row for row in select(published, sql.format(name, MEDIA_SQL, name))}
    first = {row.pop("id"): row for row in select(published, sql.format("first", MEDIA_SQL, "first"))}
    assert again and again == {key: first[key] for key in again}
    check_media(published)
    check_accounts(published)


def test_fields_of_a_unified_export_come_back(published: Path) -> None:
    sql = "select id, text, modality, panel from samples where dataset = '{}' order by id"
    again = select(published, sql.format("unified"))
    first = [row for row in select(published, sql.format("first")) if not row["id"].endswith("pair")]
    assert [{**row, "id": f"unified/all/{row['id']}"} for row in first] == again


@pytest.mark.parametrize("task", ["sft", "grpo"])
def test_an_export_of_what_came_back_has_the_same_rows(published: Path, task: str) -> None:
    def rows(dataset: str, prefix: str, **options: Any) -> list[Row]:
        made = triptych.export(
            "msswift", task=task, dataset=dataset, name=f"{dataset}-again", store=published, **options
        )
        found = imported.read_lines(made.version.data)
        return sorted(({**row, "id": row["id"].removeprefix(prefix)} for row in found), key=lambda row: row["id"])

    back = f"msswift-{task}"
    assert rows(back, f"{back}/all/", text="raw") == rows("first", "")
