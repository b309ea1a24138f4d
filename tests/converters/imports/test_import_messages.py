"""What messages say beside role and content is read in every spelling, and kept."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from support import imported
from triptych.converters.candidate import Candidate, RawFile, ReadContext, Rejection
from triptych.converters.readers import get_reader

Row = dict[str, Any]
USER: Row = {"role": "user", "content": "q"}


def one(row: Row, folder: Path, *, reader: str = "msswift", **options: Any) -> Candidate | Rejection:
    """What the reader makes of a file with this row."""
    path = imported.table(folder / "one.jsonl", [row])
    raw = RawFile(path.name, path.as_uri(), "", None, lambda: path.open("rb"), path=path)
    (found,) = get_reader(reader).read([raw], ReadContext("mine", path=path, format="jsonl", **options))
    return found


def sample(row: Row, folder: Path, **options: Any) -> Row:
    """The fields of its sample."""
    found = one(row, folder, **options)
    assert isinstance(found, Candidate), found
    return found.fields


def keys(fields: Row) -> list[Row]:
    """The further keys of its messages."""
    found: list[Row] = json.loads(fields["extra"]["message_keys"])
    return found


@pytest.mark.parametrize("mask", [{"loss": False}, {"loss": 0}, {"loss": "False"}, {"weight": 0}, {"train": False}])
def test_a_masked_answer_stays_masked_however_it_is_written(mask: Row, tmp_path: Path) -> None:
    row = {"messages": [USER, {"role": "assistant", "content": "a", **mask}]}
    assert keys(sample(row, tmp_path)) == [{}, {"loss": False}]


@pytest.mark.parametrize("keys", [{"loss": "maybe"}, {"loss": [1]}, {"loss_scale": "much"}, {"loss_scale": True}])
def test_a_mask_that_cannot_be_read_rejects_its_row(keys: Row, tmp_path: Path) -> None:
    found = one({"messages": [USER, {"role": "assistant", "content": "a", **keys}]}, tmp_path)
    assert isinstance(found, Rejection) and found.reason == "bad_value" and next(iter(keys)) in found.detail


def test_a_weight_that_is_no_mask_is_kept_as_it_is(tmp_path: Path) -> None:
    row = {"messages": [USER, {"role": "assistant", "content": "a", "weight": 0.5}]}
    assert keys(sample(row, tmp_path)) == [{}, {"weight": 0.5}]


def test_reasoning_beside_an_answer_is_the_reasoning_of_the_sample(tmp_path: Path) -> None:
    row = {"messages": [USER, {"role": "assistant", "content": "a", "reasoning_content": "why"}]}
    found = sample(row, tmp_path)
    assert found["messages"][1]["content"] == "<think>why</think>a"
    assert (found["reasoning"], found["answer"]) == ("why", "a") and "extra" not in found


def test_tool_calls_are_messages_and_their_responses_follow_their_order(tmp_path: Path) -> None:
    def call(name: str) -> Row:
        return {"id": name, "type": "function", "function": {"name": name, "arguments": '{"x": 1}'}}

    calls = {"role": "assistant", "content": None, "tool_calls": [call("one"), call("two")], "loss": False}
    responses = [{"role": "tool", "content": f"of {name}", "tool_call_id": name} for name in ("two", "one")]
    found = sample({"messages": [USER, calls, *responses, {"role": "assistant", "content": "a"}]}, tmp_path)
    assert [turn["role"] for turn in found["messages"]] == [
        "user", "tool_call", "tool_call", "tool_response", "tool_response", "assistant",
    ]  # fmt: skip
    assert json.loads(found["messages"][1]["content"]) == {"name": "one", "arguments": {"x": 1}}
    assert [turn["content"] for turn in found["messages"][3:5]] == ["of one", "of two"]
    assert [each.get("loss") for each in keys(found)] == [None, False, False, None, None, None]


def test_messages_and_words_of_a_plain_table_keep_their_further_keys(tmp_path: Path) -> None:
    row = {
        "messages": [USER, {"role": "assistant", "content": "a", "loss": False}],
        "words": [{"text": "a", "start_s": 0, "end_s": 1, "confidence": 0.5}],
    }
    found = sample(row, tmp_path, reader="table", text_only=True)
    assert found["messages"] == [USER, {"role": "assistant", "content": "a"}]
    assert keys(found) == [{}, {"loss": False}]
    assert json.loads(found["extra"]["words_keys"]) == [{"confidence": 0.5}]


def test_keys_of_both_sides_of_a_pair_are_kept(tmp_path: Path) -> None:
    row = {
        "prompt": [USER],
        "chosen": [{"role": "assistant", "content": "a", "loss": False}],
        "rejected": [{"role": "assistant", "content": "b", "name": "x"}],
    }
    found = sample(row, tmp_path, reader="conversation")
    assert keys(found) == [{}, {"loss": False}]
    assert json.loads(found["extra"]["rejected_message_keys"]) == [{"name": "x"}]


def test_what_another_column_takes_precedence_over_is_kept(tmp_path: Path) -> None:
    system = {"role": "system", "content": "own"}
    row = {
        "messages": [system, USER, {"role": "assistant", "content": "a"}],
        "system": "the row's",
        "rejected_response": "b",
        "rejected_messages": [USER, {"role": "assistant", "content": "c"}],
    }
    found = sample(row, tmp_path)
    assert found["messages"][0] == system and found["rejected"] == "b"
    assert found["extra"]["system"] == "the row's" and '"c"' in found["extra"]["rejected_messages"]


def test_keys_of_the_rejected_side_are_kept(tmp_path: Path) -> None:
    rejected = [USER, {"role": "assistant", "content": "b", "loss_scale": 2}]
    found = sample({"messages": [USER, {"role": "assistant", "content": "a"}], "rejected_messages": rejected}, tmp_path)
    assert json.loads(found["extra"]["rejected_message_keys"]) == [{}, {"loss_scale": 2.0}]
