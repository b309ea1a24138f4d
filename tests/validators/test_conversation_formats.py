"""Validators of conversations, LLaMA-Factory's forms and messages: the golden cases of the reference, rule by rule."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from support.imported import table
from triptych.validators.formats import FORMATS, summarise_file
from triptych.validators.formats.conversation.inline import DEFAULT_PROMPT, read_inline

A, B = "/data/a.wav", "/data/b.wav"


def human(text: Any) -> dict[str, Any]:
    return {"from": "human", "value": text}


def gpt(text: Any) -> dict[str, Any]:
    return {"from": "gpt", "value": text}


def codes(format: str, row: dict[str, Any], task: str | None = None) -> set[str]:
    return {found.code for found in FORMATS[format].Rows(task=task, files=False).check(1, row)}


ONE = [human("<audio>hi"), gpt("y")]
PAIR = {"conversations": [human("<audio>hi")], "audios": [A], "chosen": gpt("y"), "rejected": gpt("n")}

GOLDEN: list[tuple[str, str, dict[str, Any], set[str]]] = [
    ("B1", "llamafactory-sharegpt", {"conversations": ONE, "audios": [A, B]}, {"media_count"}),
    ("B2", "llamafactory-sharegpt", {"conversations": [human("a"), human("b")]}, {"alternation"}),
    ("B3", "llamafactory-ranking", PAIR | {"conversations": ONE}, {"even_count"}),
    ("A18", "llamafactory-sharegpt", {"conversations": [{"from": "user", "value": f"<audio>{A}</audio>go"},
                                                        {"from": "assistant", "value": "y"}]},
     {"unknown_role", "media_count"}),
    ("A18 read as it is", "conversation-inline", {"conversations": [{"from": "user", "value": f"<audio>{A}</audio>go"},
                                                            {"from": "assistant", "value": "y"}]}, set()),
    ("A19", "conversation-qwen2-audio", {"audio": A, "conversations": [human("<audio>\nQ"), gpt("y")]}, set()),
    ("B11", "conversation-inline", {"conversations": [
        {"from": "user", "value": "<audio> /a.wav </audio><audio>/b.wav</audio> go "},
        {"from": "assistant", "value": "y"}]}, {"further_sound"}),
    ("B12", "conversation-inline", {"conversations": [{"from": "user", "value": "<audio>/a.wav</audio>"},
                                                      {"from": "assistant", "value": "y"}]}, {"default_prompt"}),
]  # fmt: skip

RULES: list[tuple[str, dict[str, Any], set[str]]] = [
    ("llamafactory-sharegpt", {"conversations": ONE, "audios": [A]}, set()),
    ("llamafactory-sharegpt", {"conversations": ONE, "audios": A}, set()),
    ("llamafactory-sharegpt", {"conversations": None}, {"no_messages"}),
    ("llamafactory-sharegpt", {"conversations": [human("a"), {"value": "b"}]}, {"unknown_role"}),
    ("llamafactory-sharegpt", {"conversations": [{"value": "a"}, {"value": "b"}]}, {"unknown_role"}),
    ("llamafactory-sharegpt", {"conversations": []}, {"empty_messages"}),
    ("llamafactory-sharegpt", {"conversations": [human("a"), {"from": "function_call", "value": "f"}]},
     {"function_call"}),
    ("llamafactory-sharegpt", {"conversations": [human("a"), gpt("b")], "system": 3}, {"system_type"}),
    ("llamafactory-alpaca", {"instruction": 3, "output": "a"}, {"prompt_type"}),
    ("llamafactory-sharegpt", {"conversations": [human("a"), "b"]}, {"message_keys", "unknown_role"}),
    ("llamafactory-sharegpt", {"conversations": [human("a"), {"from": "gpt"}]}, {"null_content"}),
    ("llamafactory-sharegpt", {"conversations": [human("a"), gpt(None)]}, {"null_content"}),
    ("llamafactory-sharegpt", {"conversations": [human("a"), gpt("b"), human("c")]}, {"odd_count"}),
    ("llamafactory-sharegpt", {"conversations": [{"from": "system", "value": "s"}, human("a"), gpt("b")]}, set()),
    ("llamafactory-sharegpt", {"conversations": [human("a"), {"from": "system", "value": "s"}]}, {"alternation"}),
    ("llamafactory-sharegpt", {"conversations": ONE, "system": "<audio>", "audios": [A]}, {"tag_in_system"}),
    ("llamafactory-sharegpt", {"conversations": [human("<AUDIO>a"), gpt("b")], "audios": [A]},
     {"media_count", "tag_case"}),
    ("llamafactory-sharegpt", {"conversations": [human("<|im_end|>"), gpt("b")]}, {"model_token"}),
    ("llamafactory-sharegpt", {"conversations": ONE, "audios": ["file:///a.wav"]}, {"unsupported_uri"}),
    ("llamafactory-sharegpt", {"conversations": ONE, "audios": ["a.wav"]}, {"relative_path"}),
    ("llamafactory-sharegpt", {"conversations": ONE, "audios": [{"path": A}]}, {"media_type"}),
    ("llamafactory-ranking", PAIR, set()),
    ("llamafactory-ranking", PAIR | {"rejected": gpt("<audio>n")}, {"media_count"}),
    ("llamafactory-ranking", PAIR | {"rejected": "n"}, {"not_a_pair"}),
    ("llamafactory-ranking", PAIR | {"rejected": human("n")}, {"answer_role"}),
    ("llamafactory-ranking", PAIR | {"rejected": {"from": "bot", "value": "n"}}, {"unknown_answer_role"}),
    ("llamafactory-ranking", PAIR | {"rejected": gpt(" y")}, {"same_answers"}),
    ("llamafactory-kto", {"conversations": ONE, "audios": [A], "kto_tag": False}, set()),
    ("llamafactory-kto", {"conversations": ONE, "audios": [A], "kto_tag": "true"}, {"kto_tag"}),
    ("llamafactory-kto", {"conversations": [human("a"), gpt("")], "kto_tag": True}, {"empty_answer"}),
    ("llamafactory-kto", {"conversations": [human("a"), gpt("<audio>")], "audios": [A], "kto_tag": True},
     {"tag_in_answer"}),
    ("llamafactory-kto", {"conversations": [human("a")], "kto_tag": True}, {"odd_count"}),
    ("messages-openai", {"messages": [{"role": "tool", "tool_call_id": "c", "content": "3"}]}, {"tool_answer"}),
    ("messages-openai", {"messages": [{"role": "assistant", "content": None, "tool_calls": [{"id": "c"}]}]},
     {"tool_call"}),
    ("llamafactory-alpaca", {"instruction": "<audio>q", "input": "", "output": "a", "audios": [A]}, set()),
    ("llamafactory-alpaca", {"instruction": "q", "output": "a", "history": [["<audio>b", "c"]], "audios": [A]}, set()),
    ("llamafactory-alpaca", {"instruction": "q", "output": "a", "history": [["b"]]}, {"bad_history"}),
    ("llamafactory-alpaca", {"instruction": "", "input": None, "output": None}, {"empty_prompt", "no_output"}),
    ("conversation-qwen2-audio", {"conversations": [human("q"), gpt("y")]}, {"no_audio"}),
    ("conversation-qwen2-audio", {"audio": [A, B], "conversations": [human("<audio><audio>"), gpt("y")]}, set()),
    ("conversation-qwen2-audio", {"audio": A, "audios": [A], "conversations": ONE}, {"key_collision"}),
    ("conversation-qwen2-audio", {"audio": A, "conversations": [human("q"), gpt("y"), human("<audio>"), gpt("z")]},
     {"tag_not_first"}),
    ("conversation-inline", {"conversations": [{"from": "user", "value": "go"}, {"from": "assistant", "value": "y"}]},
     {"no_sound"}),
    ("conversation-inline", {"conversations": [{"from": "user", "value": "<audio>/a.wav</audio>go"}]}, {"few_turns"}),
]  # fmt: skip


@pytest.mark.parametrize(("format", "row", "expected"), [each[1:] for each in GOLDEN], ids=[each[0] for each in GOLDEN])
def test_golden_cases(format: str, row: dict[str, Any], expected: set[str]) -> None:
    assert codes(format, row) == expected


@pytest.mark.parametrize(("format", "row", "expected"), RULES)
def test_every_rule_of_turns(format: str, row: dict[str, Any], expected: set[str]) -> None:
    assert codes(format, row) == expected


def test_the_first_inline_sound_counts_and_an_empty_prompt_has_a_default() -> None:
    assert read_inline("<audio> /a.wav </audio><audio>/b.wav</audio> go ") == ("/a.wav", "go")
    assert read_inline("<audio>/a.wav</audio>") == ("/a.wav", DEFAULT_PROMPT)
    assert read_inline("go") == (None, "go")


# ---- dataset_info.json

COLUMNS = {"messages": "conversations", "audios": "audio"}


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ({"formatting": "sharegpt", "columns": COLUMNS}, set()),
        ({"formatting": "sharegpt", "columns": {"audios": "audio"}}, {"columns_without_messages"}),  # B4
        ({"formatting": "sharegpt", "columns": COLUMNS, "tags": {"user_tag": "human"}}, {"tags_incomplete"}),
        ({"columns": COLUMNS}, {"other_formatting", "columns_without_prompt"}),
        ({"formatting": "sharegpt"}, set()),
    ],
)
def test_an_entry_that_names_any_column_must_name_all(
    entry: dict[str, Any], expected: set[str], tmp_path: Path
) -> None:
    (tmp_path / "dataset_info.json").write_text(json.dumps({"mine": entry | {"file_name": "x.jsonl"}}))
    row = {"conversations": ONE, "audio" if "columns" in entry else "audios": A}
    file = table(tmp_path / "x.jsonl", [row])
    summary = summarise_file(file, "llamafactory-sharegpt", files=False)
    assert {code for code in summary.counts if code != "media_count"} == expected
    assert summary.rows == 1


# ---- messages


def said(content: Any, role: str = "user") -> dict[str, Any]:
    return {"role": role, "content": content}


SOUND = {"type": "audio", "audio": A}
TEXT = {"type": "text", "text": "q"}
ANSWER = said([{"type": "text", "text": "y"}], "assistant")
URL = {"type": "audio_url", "audio_url": {"url": "file:///data/a%20b.wav"}}

MESSAGES: list[tuple[str, list[Any], set[str]]] = [
    ("messages-hf", [said([SOUND, TEXT]), ANSWER], set()),
    ("messages-hf", [said("q"), said("y", "assistant")], set()),
    ("messages-hf", [said([SOUND, TEXT | {"audio": None}]), ANSWER], {"null_key"}),
    ("messages-hf", [said([{"type": "audio", "path": A}, TEXT]), ANSWER], {"medium_ignored"}),
    ("messages-hf", [said([{"type": "audio", "audio_url": A}, TEXT]), ANSWER], {"url_part"}),
    ("messages-hf", [said([SOUND]), said("<think>r</think>a", "assistant")], {"reasoning_removed"}),  # B7
    ("messages-hf", [said("q"), said("<think>r</think>a", "assistant")], set()),  # B8
    ("messages-hf", [said("<audio>q"), ANSWER], {"literal_tag"}),
    ("messages-hf", [said("<|AUDIO|>"), ANSWER], {"model_token"}),
    ("messages-hf", [said([SOUND])], {"no_answer"}),
    ("messages-hf", [said([{"type": "thing"}]), ANSWER], {"content_part"}),
    ("messages-hf", [{"role": "user"}, ANSWER], {"message_keys"}),
    ("messages-hf", [], {"no_messages"}),
    ("messages-openai", [said([URL, TEXT]), said("y", "assistant")], set()),
    ("messages-openai", [said([SOUND])], {"unknown_part"}),
    ("messages-openai", [said([{"type": "audio_url", "audio_url": {"url": A}}])], {"unsupported_url"}),
    ("messages-openai", [said([{"type": "audio_url"}])], {"no_url"}),
    ("messages-openai", [said([{"type": "input_audio", "input_audio": {"data": "AA=="}}])], {"no_data"}),
]


@pytest.mark.parametrize(("format", "messages", "expected"), MESSAGES)
def test_every_rule_of_messages(format: str, messages: list[Any], expected: set[str]) -> None:
    assert codes(format, {"messages": messages}) == expected
    assert codes(format, {"messages": json.dumps(messages)}) == expected


@pytest.mark.parametrize(
    ("task", "row", "expected"),
    [
        ("sft", {"messages": [said("q"), ANSWER]}, set()),
        ("sft", {"messages": [said([SOUND]), ANSWER]}, {"sound_not_heard"}),
        ("sft", {"text": "q"}, {"missing_keys"}),
        ("completion", {"prompt": [said("q")], "completion": [ANSWER]}, set()),
        ("completion", {"prompt": "q", "completion": [ANSWER]}, {"mixed_forms"}),
        ("grpo", {"prompt": [said("q")], "solution": "y"}, set()),
        ("grpo", {"prompt": [said("s", "system")]}, {"prompt_role", "missing_solution"}),
        ("dpo", {"prompt": [said("q")], "chosen": [ANSWER], "rejected": [ANSWER]}, {"same_answers"}),
        ("dpo", {"prompt": [said("q")], "chosen": [ANSWER]}, {"missing_keys"}),
        ("kto", {"prompt": [said("q")], "completion": [ANSWER], "label": False}, set()),
        ("kto", {"prompt": [said("q")], "completion": [ANSWER], "label": "true"}, {"bad_label"}),
        ("kto", {"prompt": [said("q")], "completion": [ANSWER]}, {"bad_label"}),
    ],
)
def test_every_rule_of_trl(task: str, row: dict[str, Any], expected: set[str]) -> None:
    assert codes("messages-trl", row, task) == expected
    assert "rejected" not in row or FORMATS["messages-trl"].detect_task([row]) == "dpo"


@pytest.mark.parametrize("text", ["7", "007", "-", " null\n", '"Yes."', "[1]", "1.50", "NaN"])
@pytest.mark.parametrize("format", ["messages-openai", "messages-trl"])
def test_a_text_that_datasets_takes_for_json_is_found_once_another_content_is_a_list(format: str, text: str) -> None:
    rows = FORMATS[format].Rows(files=False)

    def found(number: int, content: Any, answer: str) -> list[int]:
        row = {"messages": [said(content), said(answer, "assistant")]}
        return [each.row for each in rows.check(number, row) if each.code == "json_text"]

    assert (found(1, "q", text), found(2, "q", "y")) == ([], [])
    assert found(3, [URL if format == "messages-openai" else SOUND], "y 7") == [1]
    assert (found(4, "q", text), found(5, "q", "7 years"), found(6, "q", [{"type": "text", "text": text}])) == (
        [4],
        [],
        [],
    )
    assert (
        list(FORMATS[format].Rows(files=False).check(1, {"messages": json.dumps([said("q"), said(text, "assistant")])}))
        == []
    )


def test_a_problem_says_what_to_do_and_those_of_trainers_what_the_consumer_does() -> None:
    for name, module in FORMATS.items():
        assert [code for code, problem in module.PROBLEMS.items() if not problem.mend] == [], name
        if name.startswith(("conversation-", "llamafactory-", "messages-")):
            assert [code for code, problem in module.PROBLEMS.items() if not problem.consequence] == []


def test_a_column_that_no_row_has_is_told_where_dataset_info_names_it(tmp_path: Path) -> None:
    turns = [{"from": "human", "value": "q"}, {"from": "gpt", "value": "y"}]
    columns = {"messages": "conversations", "system": "said", "audios": "sounds"}
    info = {"mine": {"file_name": "data.jsonl", "formatting": "sharegpt", "columns": columns}}
    (tmp_path / "dataset_info.json").write_text(json.dumps(info))
    data = tmp_path / "data.jsonl"
    rows = [{"conversations": [{"from": "system", "value": "s"}, *turns], "sounds": None}, {"conversations": turns}]
    for number, missing in (
        (1, {}),
        (2, {"missing_column": 1}),
    ):  # the first row has its system message among the turns
        data.write_text("".join(json.dumps(row) + "\n" for row in rows[:number]))
        assert summarise_file(data, "llamafactory-sharegpt").counts == missing
