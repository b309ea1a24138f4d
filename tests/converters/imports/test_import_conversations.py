"""Conversations, instructions, questions and term chunks of other tools, in each of their spellings."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import triptych
from support import imported
from support.training import Row, assistant, one, paths, read, refused, system, user
from triptych.converters.candidate import Candidate

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
