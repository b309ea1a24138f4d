"""Validators of consumers' formats: the reference's golden cases, and the shapes of rows."""

from __future__ import annotations

import json
import re
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.training import PAIR, assistant, system, user
from triptych.shards.store.database import lasting
from triptych.validators.formats import FORMATS, Finding, refused_shapes, shape_sql

A, B = "/data/a.wav", "/data/b.wav"


# Number, row, task, and the codes; from the table of golden cases in the reference, which ran ms-swift's own functions.
GOLDEN: list[tuple[str, dict[str, Any], str, set[str]]] = [
    ("A1", {"messages": [user("<audio>hi"), assistant("y")], "audios": [A]}, "sft", set()),
    ("A2", {"messages": [user("hi"), assistant("y")], "audios": [A, B]}, "sft", {"media_without_tag"}),
    ("A3", {"messages": [user("<audio><audio>hi"), assistant("y")], "audios": [A]}, "sft", {"tag_without_media"}),
    ("A4", {"messages": [user("<audio>hi"), assistant("y")]}, "sft", {"tag_without_media"}),
    ("A4b", {"messages": [user("<audio>hi"), assistant("y")], "audios": []}, "sft", {"tag_without_media"}),
    (
        "A5",
        {"messages": [system("<audio>sys"), user("<audio>hi"), assistant("y")], "audios": [A]},
        "sft",
        {"tag_in_system", "tag_without_media"},
    ),
    (
        "A6",
        {"messages": [user("hi"), assistant("y"), user("<audio>b"), assistant("z")], "audios": [A, B]},
        "sft",
        {"media_without_tag"},
    ),
    ("A7", {"messages": [user("<AUDIO>q"), assistant("y")], "audios": [A]}, "sft", {"tag_case", "media_without_tag"}),
    ("A8", {"messages": [user([{"type": "audio", "audio": A}]), assistant("y")]}, "sft", set()),
    (
        "A8b",
        {"messages": [user([{"type": "audio", "audio": A}]), assistant("y")], "audios": [B]},
        "sft",
        {"content_media_conflict", "media_without_tag"},
    ),
    (
        "A9",
        {"messages": [user([{"type": "audio", "audio_url": A}]), assistant("y")]},
        "sft",
        {"content_media_ignored", "tag_without_media"},
    ),
    ("A10", {"messages": [user("q"), assistant("y")], "rejected_response": "y"}, "dpo", {"rejected_equals_answer"}),
    ("A11", {"messages": [user("q"), assistant("y")], "rejected_response": None}, "dpo", {"rejected_null"}),
    ("A12", {"messages": PAIR, "audios": [A], "rejected_response": "n"}, "dpo", set()),
    (
        "A13",
        {"messages": PAIR, "audios": [A], "rejected_messages": [user("<audio>q"), assistant("n")]},
        "dpo",
        {"rejected_without_media"},
    ),
    ("A14", {"messages": PAIR, "audios": [A], "rejected_audios": [B]}, "dpo", set()),
    ("A15", {"messages": [assistant("<audio>cap")], "audios": [A]}, "sft", set()),
    ("A16", {"messages": [user("q"), {"role": "teacher", "content": "y"}]}, "sft", {"unknown_role"}),
    ("A17", {"messages": [user("q"), system("s"), assistant("y")]}, "sft", {"system_not_first"}),
    (
        "A18",
        {
            "conversations": [
                {"from": "user", "value": "<audio>/abs/a.wav</audio>go"},
                {"from": "assistant", "value": "y"},
            ]
        },
        "sft",
        {"tag_without_media"},
    ),
    (
        "A19",
        {"audio": A, "conversations": [{"from": "human", "value": "<audio>\nQ"}, {"from": "gpt", "value": "y"}]},
        "sft",
        set(),
    ),
]
STAGES = {
    "unknown_role": "S1",
    "rejected_null": "S1",
    "rejected_equals_answer": "S1",
    "system_not_first": "S2",
    "tag_without_media": "S2",
    "content_media_conflict": "S2",
    "key_collision": "S0",
    "empty_messages": "S1",
}


def findings_of(row: dict[str, Any], *, format: str = "msswift", task: str = "sft") -> list[Finding]:
    return list(FORMATS[format].Rows(task=task, files=False).check(1, row))


def codes_of(row: dict[str, Any], *, format: str = "msswift", task: str = "sft") -> set[str]:
    return {finding.code for finding in findings_of(row, format=format, task=task)}


@pytest.mark.parametrize(("row", "task", "expected"), [case[1:] for case in GOLDEN], ids=[case[0] for case in GOLDEN])
def test_golden_cases_of_the_reference(row: dict[str, Any], task: str, expected: set[str]) -> None:
    found = findings_of(row, task=task)
    assert {finding.code for finding in found} == expected
    for finding in found:
        assert finding.stage == STAGES.get(finding.code, finding.stage)


MORE: list[tuple[dict[str, Any], str, set[str]]] = [
    ({"messages": [user("q <|audio_pad|>"), assistant("y")]}, "sft", {"model_token"}),
    ({"messages": [user("q"), assistant("y<|im_end|>")]}, "sft", {"model_token"}),
    ({"messages": [user("<|en|> <| q"), assistant("y")]}, "sft", set()),
    ({"messages": []}, "sft", {"empty_messages"}),
    ({"messages": None}, "sft", {"empty_messages"}),
    ({"messages": ""}, "sft", {"empty_messages"}),
    ({"messages": "[{'role': 'user', 'content': 'q'}, {'role': 'assistant', 'content': 'y'}]"}, "sft", set()),
    ({"messages": '[{"role": "user", "content": null}]'}, "sft", {"null_content", "last_not_assistant"}),
    ({"messages": '[{"role": "user"'}, "sft", {"unparseable_messages"}),
    ({"messages": [user("q"), {"role": "assistant"}]}, "sft", {"message_keys"}),
    ({"messages": [user("q"), {"content": "y"}]}, "sft", {"message_keys"}),
    ({"messages": [user("q"), assistant(None)]}, "sft", {"null_content"}),
    ({"messages": [user("q"), assistant("")]}, "sft", set()),
    ({"messages": [user("q"), {**assistant("y"), "name": "x"}]}, "sft", {"extra_message_keys"}),
    ({"messages": [user("q"), {**assistant("y"), "loss": True}]}, "sft", set()),
    ({"messages": [user("q"), {**assistant("y"), "loss": None, "loss_scale": 0.5}]}, "sft", set()),
    ({"messages": [user("q"), {**assistant("y"), "loss": "false"}]}, "sft", {"bad_loss"}),
    (
        {"messages": [user("q"), assistant("y")], "objects": {"ref": ["a"], "bbox": [[1, 2], [1, 2, 3, 4]]}},
        "sft",
        set(),
    ),
    ({"messages": [user("q"), assistant("y")], "objects": {"ref": ["a"]}}, "sft", {"bad_objects"}),
    ({"messages": [user("q"), assistant("y")], "objects": {"bbox": [[1, 2, 3]]}}, "sft", {"bad_objects"}),
    ({"messages": [system("s")]}, "sft", {"no_turns"}),
    ({"messages": [user("q")]}, "sft", {"last_not_assistant"}),
    ({"messages": [user("q"), user("r"), assistant("y"), assistant("z")]}, "sft", set()),
    (
        {
            "messages": [
                user("q"),
                {"role": "tool_call", "content": '{"name": "f", "arguments": {}}'},
                {"role": "tool_response", "content": "r"},
                assistant("y"),
            ]
        },
        "sft",
        set(),
    ),
    ({"messages": [user("q"), {"role": "tool_call", "content": "c"}, assistant("y")]}, "sft", {"tool_call"}),
    ({"messages": [user("q"), {"role": "tool", "content": "r"}, assistant("y")]}, "sft", set()),
    (
        {"messages": [user("q"), assistant("y"), {"role": "tool", "content": "r"}, user("s"), assistant("z")]},
        "sft",
        {"alternation"},
    ),
    ({"messages": [{"role": "tool", "content": "r"}, assistant("y")]}, "sft", {"alternation"}),
    ({"messages": [user("q"), assistant("<audio>")], "audios": [A]}, "sft", {"tag_in_assistant"}),
    ({"messages": PAIR, "audio": A, "audios": [A]}, "sft", {"key_collision"}),
    ({"messages": PAIR, "Audio": A}, "sft", set()),
    ({"query": "<audio>q", "response": "y", "audios": A}, "sft", set()),
    ({"prompt": "q", "question": "q", "response": "y"}, "sft", {"key_collision"}),
    ({"instruction": "do", "input": "this", "output": "y"}, "sft", set()),
    ({"id": "x"}, "sft", {"empty_messages"}),
    ({"messages": PAIR, "audios": ["a.wav"]}, "sft", {"relative_path"}),
    ({"messages": PAIR, "audios": ["s3://b/a.wav"]}, "sft", {"unsupported_uri"}),
    ({"messages": PAIR, "audios": ["https://h/a.wav"]}, "sft", set()),
    ({"messages": PAIR, "audios": [A, None]}, "sft", {"null_media"}),
    ({"messages": PAIR, "audios": [3]}, "sft", {"media_type"}),
    ({"messages": [user("<image>q"), assistant("y")], "images": [{"bytes": b"x", "path": None}]}, "sft", set()),
    ({"messages": [user("<audio>q")], "audios": [A], "solution": "y"}, "grpo", set()),
    ({"messages": [user("<audio>q")], "audios": [A]}, "grpo", {"missing_solution"}),
    ({"messages": PAIR, "audios": [A], "solution": "y"}, "grpo", {"ends_in_assistant"}),
    ({"messages": [assistant("y")], "solution": "y"}, "grpo", {"no_user_turn"}),
    ({"messages": PAIR, "audios": [A]}, "dpo", {"missing_rejected"}),
    ({"messages": [{"human": "q", "assistant": "y"}]}, "sft", set()),
]


@pytest.mark.parametrize(("row", "task", "expected"), MORE)
def test_msswift_rules(row: dict[str, Any], task: str, expected: set[str]) -> None:
    assert codes_of(row, task=task) == expected


UNIFIED: list[tuple[dict[str, Any], set[str]]] = [
    ({"id": "1", "modality": "audio", "audio": A, "text": "x"}, set()),
    ({"id": "1", "modality": "video", "video": "/v.mp4"}, set()),
    ({"id": "1", "modality": "mixed", "video": "/v.mp4"}, set()),
    ({"id": "1", "modality": "mixed", "video": "/v.mp4", "audio": A}, set()),
    ({"id": "1", "modality": "text", "text": "x"}, set()),
    ({"id": "1", "modality": "mixed", "audio": A}, {"modality_mismatch"}),
    ({"id": "1", "modality": "audio", "text": "x"}, {"modality_mismatch"}),
    ({"id": "1", "modality": "audio", "audio": A, "video": "/v.mp4"}, {"modality_mismatch"}),
    ({"id": "1", "modality": "text"}, {"missing_text"}),
    ({"id": "1", "modality": "speech", "audio": A}, {"unknown_modality"}),
    ({"modality": "audio", "audio": A}, {"missing_id"}),
    ({"id": "1", "modality": "audio", "audio": "a.wav"}, {"relative_path"}),
    ({"id": "1", "modality": "audio", "audio": A, "text": " "}, {"empty_text"}),
    ({"id": "1", "modality": "audio", "audio": {"path": A}}, {"wrong_type"}),
]


@pytest.mark.parametrize(("row", "expected"), UNIFIED)
def test_unified_rules(row: dict[str, Any], expected: set[str]) -> None:
    assert codes_of(row, format="unified") == expected


# --- shapes: a whole export at once ------------------------------------------------------------


MESSAGES = pa.list_(pa.struct([("role", pa.string()), ("content", pa.string())]))
PATHS = pa.list_(pa.string())
TYPED = pa.schema(
    [("id", pa.string()), ("messages", MESSAGES), ("images", PATHS), ("videos", PATHS), ("audios", PATHS),
     ("solution", pa.string())]
)  # fmt: skip
UNIFIED_TYPED = pa.schema([(name, pa.string()) for name in ("id", "modality", "text", "audio", "video")])


def shapes(rows: list[dict[str, Any]], schema: pa.Schema, format: str) -> list[dict[str, Any]]:
    """What the shape of every row is, as a row."""
    with lasting("shapes").cursor() as connection:
        table = pa.Table.from_pylist([{name: row.get(name) for name in schema.names} for row in rows], schema=schema)
        connection.register("export", table.append_column("position", pa.array(range(len(rows)))))
        types = {str(row[0]): str(row[1]) for row in connection.execute("DESCRIBE export").fetchall()}
        del types["position"]
        sql = f"SELECT to_json({shape_sql(format, types)})::VARCHAR FROM export ORDER BY position"
        return [json.loads(shape) for (shape,) in connection.execute(sql).fetchall()]


def told(row: dict[str, Any], *, format: str, task: str | None) -> list[tuple[str, str | None]]:
    """The findings of a row, apart from values: code and column, each as often as it is found."""
    found = FORMATS[format].Rows(task=task, files=False).check(1, row)
    return [(finding.code, finding.column) for finding in found]


def is_typed(row: dict[str, Any]) -> bool:
    messages = row.get("messages")
    return (
        set(row) <= set(TYPED.names)
        and all(
            isinstance(message.get("content"), str | None) and set(message) == {"role", "content"}
            for message in (messages if isinstance(messages, list) else [{}])
        )
        and all(isinstance(path, str | None) for path in row.get("audios") or [])
        and not row.get("images")
    )


def check_same_findings(rows: list[dict[str, Any]], schema: pa.Schema, format: str, task: str | None) -> None:
    for row, shape in zip(rows, shapes(rows, schema, format), strict=True):
        assert told(shape, format=format, task=task) == told(row, format=format, task=task)


@pytest.mark.parametrize("task", ["sft", "grpo"])
def test_golden_rows_and_their_shapes_have_the_same_findings(task: str) -> None:
    rows = [case[1] for case in GOLDEN] + [case[0] for case in MORE]
    typed = [{name: row.get(name) for name in TYPED.names} for row in rows if is_typed(row)]
    assert len(typed) >= 25
    check_same_findings(typed, TYPED, "msswift", task)


def test_a_shape_holds_no_text_of_the_row() -> None:
    row = {"id": "x", "messages": [user("<audio>Who <speaks>?"), assistant("Ann < Bob")], "audios": [A, B],
           "solution": "Ann"}  # fmt: skip
    (shape,) = shapes([row], TYPED, "msswift")
    assert shape == {
        "id": None, "messages": [user("<audio>"), assistant("")], "images": None, "videos": None, "audios": ["/", "/"],
        "solution": "x",
    }  # fmt: skip


def test_refused_shapes_name_the_first_problem_in_the_order_of_the_table() -> None:
    bad = json.dumps({"messages": [{"role": "teacher", "content": None}, user("q")], "audios": ["s3://a"]})
    good = json.dumps({"messages": [user("q"), assistant("y")]})
    assert refused_shapes("msswift", "sft", [good, bad]) == {bad: "unknown_role"}


TEXT = st.lists(st.sampled_from(["<audio>", "<image>", "<video>", "<Audio>", "<VIDEO>", "hi", "\n", "ı", "é", "<aud"]))
CONTENT = st.none() | TEXT.map("".join)
ROLE = st.none() | st.sampled_from(
    ["user", "assistant", "system", "human", "gpt", "tool", "tool_call", "observation", "teacher", "User", ""]
)
MESSAGE = st.none() | st.fixed_dictionaries({"role": ROLE, "content": CONTENT})
TALK = st.lists(
    st.fixed_dictionaries(
        {"role": st.sampled_from(["user", "assistant", "system", "tool"]), "content": TEXT.map("".join)}
    ),
    max_size=6,
)
PATH = st.none() | st.sampled_from(
    ["/a.wav", "a.wav", "", "~/a.wav", "http://x/a", "data:audio/wav;base64,AA", "s3://b/a", "file:///a", "ü" * 2001]
)
MEDIA = st.none() | st.lists(PATH, max_size=3)
ROWS = st.fixed_dictionaries(
    {
        "id": st.just("x"),
        "messages": st.none() | TALK | st.lists(MESSAGE, max_size=4),
        "images": MEDIA,
        "videos": MEDIA,
        "audios": MEDIA,
        "solution": st.none() | st.sampled_from(["", "y"]),
    }
)

QUICK, LONG = (settings(max_examples=count, deadline=None) for count in (12, 60))
MANY_ROWS = given(rows=st.lists(ROWS, min_size=1, max_size=40))


@pytest.mark.parametrize("task", ["sft", "grpo"])
@QUICK
@MANY_ROWS
def test_a_row_and_its_shape_have_the_same_findings(task: str, rows: list[dict[str, Any]]) -> None:
    check_same_findings(rows, TYPED, "msswift", task)


@pytest.mark.thorough
@LONG
@MANY_ROWS
def test_more_rows_and_their_shapes_have_the_same_findings(rows: list[dict[str, Any]]) -> None:
    check_same_findings(rows, TYPED, "msswift", "sft")
    check_same_findings(rows, TYPED, "msswift", "grpo")


OF_TEXT = pa.schema([*TYPED, ("rejected_response", pa.string())])
PAIRS = pa.schema([*OF_TEXT, ("rejected_messages", MESSAGES)])


def last_content(row: dict[str, Any]) -> Any:
    return next((turn.get("content") for turn in (row["messages"] or [])[-1:] if turn), None)


MANY_PAIRS = given(rows=st.lists(ROWS.flatmap(lambda row: st.fixed_dictionaries(
    {name: st.just(value) for name, value in row.items()}
    | {"rejected_response": CONTENT | st.just(last_content(row)), "rejected_messages": st.none() | TALK})),
    min_size=1, max_size=20))  # fmt: skip


def check_pairs(rows: list[dict[str, Any]]) -> None:
    check_same_findings(rows, PAIRS, "msswift", "dpo")
    check_same_findings([{name: row[name] for name in OF_TEXT.names} for row in rows], OF_TEXT, "msswift", "dpo")


@QUICK
@MANY_PAIRS
def test_a_preference_row_and_its_shape_have_the_same_findings(rows: list[dict[str, Any]]) -> None:
    check_pairs(rows)


@pytest.mark.thorough
@LONG
@MANY_PAIRS
def test_more_preference_rows_and_their_shapes_have_the_same_findings(rows: list[dict[str, Any]]) -> None:
    check_pairs(rows)


def test_the_shape_of_a_pair_holds_whether_its_texts_are_equal_and_not_the_texts() -> None:
    same, other = (
        {"id": "x", "messages": [user("q"), assistant("Ann")], "rejected_response": text} for text in ("Ann", "Bob")
    )
    found = shapes([same, other], OF_TEXT, "msswift")
    assert [each["rejected_response"] for each in found] == ["", "-"]
    columns = {"chosen": "JSON", "rejected": "JSON"}
    with duckdb.connect() as connection:
        for text, differs in (("Ann", False), ("Bob", True)):
            answers = [json.dumps([assistant(each)], separators=(",", ":")) for each in ("Ann", text)]
            sql = f"SELECT to_json({shape_sql('messages-trl', columns)}) FROM (SELECT ?::JSON chosen, ?::JSON rejected)"
            [[made]] = connection.execute(sql, answers).fetchall()
            sides = {name: json.loads(value) for name, value in json.loads(made).items()}
            assert (sides["chosen"] != sides["rejected"]) is differs and "Ann" not in made


WORD = st.none() | st.sampled_from(["", " ", "\t\n", "x", "/a.wav", "a.wav", "audio", "video", "mixed", "text"])


UNIFIED_ROWS = st.fixed_dictionaries(dict.fromkeys(UNIFIED_TYPED.names, WORD))
MANY_UNIFIED = given(rows=st.lists(UNIFIED_ROWS, min_size=1, max_size=40))


@QUICK
@MANY_UNIFIED
def test_a_unified_row_and_its_shape_have_the_same_findings(rows: list[dict[str, Any]]) -> None:
    check_same_findings(rows, UNIFIED_TYPED, "unified", None)


@pytest.mark.thorough
@LONG
@MANY_UNIFIED
def test_more_unified_rows_and_their_shapes_have_the_same_findings(rows: list[dict[str, Any]]) -> None:
    check_same_findings(rows, UNIFIED_TYPED, "unified", None)


def test_every_problem_names_a_stage() -> None:
    for module in FORMATS.values():
        for problem in module.PROBLEMS.values():
            assert re.fullmatch(r"S[012]|[a-z_0-9]+(\.scp)?", problem.stage), problem
