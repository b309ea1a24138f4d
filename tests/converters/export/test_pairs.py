"""Rows of MS-SWIFT for DPO, KTO and pre-training: both sides of a pair, labels, and texts without a question."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import triptych
from support.imported import bring_in, noise, read_lines, sound, table
from support.stores import check_accounts
from support.view_rows import made_of_each, sample
from triptych.errors import UsageError
from triptych.validators.formats import FORMATS


def _turns(*texts: str) -> list[dict[str, str]]:
    return [{"role": ("user", "assistant")[n % 2], "content": text} for n, text in enumerate(texts)]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pairs")
    clip = str(sound(folder / "clip.flac", noise(0.1)))
    asked = {"question": "Which animal?", "task": "qa", "audio": clip, "language": "en"}
    plain = [
        {"id": "dog", **asked, "answer": "A dog.", "rejected": "A cat."},
        {"id": "owl", **asked, "answer": "Bird.", "chosen": "An owl.", "rejected": "<think>feathers</think>A crow.",
         "reasoning": "It hoots."},
        {"id": "cow", **asked, "answer": "A cow.", "rejected": "A goat.", "reasoning": "It moos."},
        {"id": "same", **asked, "answer": "A dog.", "rejected": " A  dog. "},
        {"id": "none", **asked, "answer": "A dog."},
        {"id": "tagged", **asked, "answer": "A dog.", "rejected": "A <audio> cat."},
        {"id": "good", **asked, "answer": "A hen.", "label": True},
        {"id": "bad", **asked, "answer": "A pig.", "label": "false"},
        {"id": "class", **asked, "answer": "A pig.", "label": "animal"},
        {"id": "torn", **asked, "answer": "A fox.", "rejected": "A pig.", "label": False},
        {"id": "spoken", "text": "hello there", "audio": clip, "task": "asr", "language": "en", "rejected": "hullo"},
        {"id": "shown", "captions": ["Rain."], "audio": clip, "task": "aac", "language": "en"},
    ]  # fmt: skip
    path = bring_in(folder / "store", "pairs", plain, folder)
    talks = [
        {"id": "talk", "messages": _turns("<audio>Who?", "Me.", "And now?", "You."), "audios": [clip],
         "rejected_response": "Nobody."},
        {"id": "tools", "audios": [clip], "rejected_response": "No.", "tools": [{"name": "f"}], "messages": [
            {"role": "user", "content": "<audio>Call."},
            {"role": "tool_call", "content": '{"name": "f", "arguments": {}}'},
            {"role": "tool_response", "content": "1"}, {"role": "assistant", "content": "Yes."}]},
        {"id": "alone", "messages": [{"role": "assistant", "content": "So <audio> it goes."}], "audios": [clip]},
    ]  # fmt: skip
    triptych.import_data("msswift", table(folder / "talks.jsonl", talks), name="talks", store=path)
    return path


def exported(store: Path, task: str, **options: Any) -> tuple[Any, dict[str, dict[str, Any]]]:
    result = triptych.export("msswift", task=task, store=store, **options)
    rows = {
        row["id"].removeprefix("pairs/all/").removeprefix("talks/all/"): row for row in read_lines(result.version.data)
    }
    validator = FORMATS["msswift"].Rows(task=task)
    found = [each for number, row in enumerate(rows.values(), 1) for each in validator.check(number, row)]
    assert [each.code for each in found if each.severity == "error"] == []
    return result, rows


def test_a_pair_has_its_other_answer_in_the_place_of_the_last_turn(store: Path) -> None:
    result, rows = exported(store, "dpo")
    sides = {name: (row["messages"][-1]["content"], row["rejected_response"]) for name, row in rows.items()}
    assert sides == {
        "dog": ("A dog.", "A cat."),
        "owl": ("<think>It hoots.</think>An owl.", "<think>feathers</think>A crow."),
        "cow": ("A cow.", "A goat."),
        "torn": ("A fox.", "A pig."),
        "spoken": ("hello there", "hullo"),
        "talk": ("You.", "Nobody."),
    }
    assert all(len(row["audios"]) == 1 and "rejected_audios" not in row for row in rows.values())
    assert [turn["content"] for turn in rows["talk"]["messages"]][:3] == ["<audio>Who?", "Me.", "And now?"]
    counts = result.version.manifest["counts"]
    assert counts == {
        "written": 6, "same_answers": 1, "no_rejected": 5, "tag_mismatch": 1, "tools_before_answer": 1,
        "no_prompt": 1,
    }  # fmt: skip
    assert result.left_out["reasoning"] == 1 and result.left_out["answer"] == 1, "of the cow and the owl"
    assert "rejected" not in result.left_out and "chosen" not in result.left_out
    assert f"swift rlhf --rlhf_type dpo --model Qwen/Qwen2-Audio-7B-Instruct --dataset {result.version.data}" in (
        result.next_command or ""
    )


def test_neither_side_of_a_pair_has_reasoning_that_was_not_asked_for(store: Path) -> None:
    _, rows = exported(store, "dpo", reasoning="drop")
    assert rows["owl"]["messages"][-1]["content"] == "An owl." and rows["owl"]["rejected_response"] == "A crow."
    _, rows = exported(store, "dpo", reasoning="column")
    assert rows["owl"]["messages"][-1]["content"] == "An owl." and rows["owl"]["reasoning"] == "It hoots."
    assert rows["cow"]["reasoning"] == "It moos."


def test_reasoning_in_one_answer_alone_is_taken_out_of_it() -> None:
    pairs = [sample(question="Which?", answer=good, rejected=bad) for good, bad in (
        ("A dog.", "<think>meows</think>A cat."), ("<think>barks</think>A dog.", "A cat."),
        ("<think>barks</think>A dog.", "<think>meows</think>A cat."), ("A dog.", "<think>A dog."),
    )]  # fmt: skip
    made = made_of_each(pairs, task="dpo")
    answers = [(row["messages"][-1]["content"], row["rejected_response"]) for row in made[:3]]
    assert answers == [("A dog.", "A cat."), ("A dog.", "A cat."), (pairs[2]["answer"], pairs[2]["rejected"])]
    assert made[3] == "no_rejected"


def test_a_caption_of_the_sample_is_no_rejected_answer() -> None:
    heard = [sample(task="aac", captions=["Rain.", "It rains."], rejected=bad) for bad in (" It  rains.", "Wind.")]
    heard.append(sample(task="qa", question="What?", answer="Rain.", captions=["It rains."], rejected="It rains."))
    assert [isinstance(each, dict) or each for each in made_of_each(heard, task="dpo")] == ["same_answers", True, True]


def test_a_pair_gives_two_labelled_rows_and_a_labelled_answer_one(store: Path) -> None:
    result, rows = exported(store, "kto")
    assert {name: (row["messages"][-1]["content"], row["label"]) for name, row in rows.items()} == {
        "dog#chosen": ("A dog.", True), "dog#rejected": ("A cat.", False),
        "owl#chosen": ("<think>It hoots.</think>An owl.", True),
        "owl#rejected": ("<think>feathers</think>A crow.", False),
        "cow#chosen": ("A cow.", True), "cow#rejected": ("A goat.", False),
        "tagged#chosen": ("A dog.", True),
        "spoken#chosen": ("hello there", True), "spoken#rejected": ("hullo", False),
        "talk#chosen": ("You.", True), "talk#rejected": ("Nobody.", False),
        "tools#chosen": ("Yes.", True), "tools#rejected": ("No.", False),
        "good": ("A hen.", True), "bad": ("A pig.", False),
    }  # fmt: skip
    assert rows["dog#rejected"]["sample_id"] == "pairs/all/dog"
    counts = result.version.manifest["counts"]
    assert counts == {"written": 9, "same_answers": 1, "label_of_pair": 1, "no_label": 3, "no_prompt": 1}
    assert "--rlhf_type kto" in (result.next_command or "")
    check_accounts(store)


def test_rows_of_pretraining_are_one_text_beside_its_media(store: Path) -> None:
    result, rows = exported(store, "pretrain")
    assert {name: row["messages"] for name, row in rows.items()} == {
        "spoken": [{"role": "assistant", "content": "<audio>hello there"}],
        "shown": [{"role": "assistant", "content": "<audio>Rain."}],
        "alone": [{"role": "assistant", "content": "So <audio> it goes."}],
    }
    assert result.version.manifest["counts"] == {"written": 3, "no_text": 12}
    assert "swift pt --model" in (result.next_command or "")
    for option in ({"system": "You listen."}, {"user_template": "{prompt}"}):
        with pytest.raises(UsageError, match="pre-training are one text"):
            triptych.export("msswift", task="pretrain", store=store, **option)
