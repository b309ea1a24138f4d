"""Validators of consumers' formats: the reference's golden cases, damaged files, and the shapes of rows."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from triptych.errors import UsageError
from triptych.validators.formats import FORMATS, Finding, refused_shapes, shape_sql, summarise_file, validate_file


def user(text: Any) -> dict[str, Any]:
    return {"role": "user", "content": text}


def assistant(text: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": text}


def system(text: Any) -> dict[str, Any]:
    return {"role": "system", "content": text}


A, B = "/data/a.wav", "/data/b.wav"
PAIR = [user("<audio>q"), assistant("y")]

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
    ({"messages": '[{"role": "user", "content": null}]'}, "sft", {"unparseable_messages"}),
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
                {"role": "tool_call", "content": "c"},
                {"role": "tool_response", "content": "r"},
                assistant("y"),
            ]
        },
        "sft",
        set(),
    ),
    ({"messages": [user("q"), {"role": "tool", "content": "r"}, assistant("y")]}, "sft", {"alternation"}),
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


# --- files ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def wav(tmp_path: Path) -> str:
    path = tmp_path / "a.wav"
    path.write_bytes(b"RIFF")
    return str(path)


def lines(path: Path, *rows: Any) -> Path:
    path.write_text("".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows))
    return path


def test_missing_files_are_found(tmp_path: Path, wav: str) -> None:
    path = lines(
        tmp_path / "x.jsonl",
        {"id": "1", "messages": PAIR, "audios": [wav]},
        {"id": "2", "messages": PAIR, "audios": [wav + ".gone"]},
    )
    found = list(validate_file(path, "msswift"))
    assert [(f.row, f.code, f.stage, f.value) for f in found] == [(2, "missing_file", "S2", wav + ".gone")]
    assert not list(validate_file(path, "msswift", files=False))


def test_broken_lines_name_line_and_column_and_do_not_stop_the_file(tmp_path: Path) -> None:
    good = {"id": "1", "modality": "text", "text": "x"}
    path = lines(tmp_path / "x.jsonl", good, '{"id": "2", "text": }', "[1]", '{"id": NaN}', "", {**good, "id": "9"})
    summary = summarise_file(path, "unified")
    assert summary.rows == 5
    assert summary.counts == {"invalid_json": 2, "not_an_object": 1}
    first, _, third = summary.examples
    assert first.row == 2 and "line 2 column 21" in first.message
    assert third.row == 4 and "line 4 column 8" in third.message


def test_bytes_that_are_not_utf8(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    path.write_bytes(b'{"id": "\xff"}\n')
    (found,) = validate_file(path, "unified")
    assert found.code == "bad_encoding" and "line 1 column 9: byte 0xff" in found.message


@pytest.mark.parametrize("form", ["{}\n{}", "[{}, {}]"])
def test_a_key_with_two_values_is_found(tmp_path: Path, form: str) -> None:
    path = tmp_path / "x.jsonl"
    good = '{"id": "2", "modality": "text", "text": "x"}'
    path.write_text(form.format('{"id": "1", "modality": "text", "text": "x", "text": "y"}', good))
    (found,) = validate_file(path, "unified")
    assert (found.code, found.row) == ("invalid_json", 1) and "'text' stands twice" in found.message


@pytest.mark.parametrize("indent", [None, 2])
def test_a_json_array_reads_as_its_lines_do(tmp_path: Path, indent: int | None) -> None:
    rows = [{"id": str(i), "messages": PAIR, "audios": [A] * (i % 3), "pad": "ü" * 200} for i in range(3000)]
    as_array = tmp_path / "x.json"
    as_array.write_text(json.dumps(rows, indent=indent))
    by_line = summarise_file(lines(tmp_path / "x.jsonl", *rows), "msswift", files=False)
    by_array = summarise_file(as_array, "msswift", files=False)
    assert by_array.rows == by_line.rows == 3000
    assert by_array.counts == by_line.counts == {"tag_without_media": 1000, "media_without_tag": 1000}


def test_a_broken_array_names_the_place(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_text('[{"id": "1", "modality": "text", "text": "x"},\n {"id": }]')
    (found,) = validate_file(path, "unified")
    assert (found.row, found.code) == (2, "invalid_json")
    assert "line 2 column 9" in found.message
    path.write_text('[{"id": "1", "modality": "text", "text": "x"}')
    (found,) = validate_file(path, "unified")
    assert found.code == "invalid_json"


def test_parquet(tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    rows = [{"id": str(i), "messages": PAIR, "audios": [A] if i else None} for i in range(10)]
    pq.write_table(pa.Table.from_pylist(rows), path)
    found = list(validate_file(path, "msswift", files=False))
    assert [(f.row, f.code) for f in found] == [(1, "tag_without_media")]
    path.write_bytes(path.read_bytes()[:100])
    assert [f.code for f in validate_file(path, "msswift")] == ["unreadable_file"]


def test_duplicate_ids_name_both_rows(tmp_path: Path) -> None:
    rows = [{"id": str(i % 7), "modality": "text", "text": "x"} for i in range(9)]
    found = list(validate_file(lines(tmp_path / "x.jsonl", *rows), "unified"))
    assert [(f.row, f.code, f.value) for f in found] == [(8, "duplicate_id", "0"), (9, "duplicate_id", "1")]
    assert "first in row 1" in found[0].message


def test_columns_that_collide_across_rows_are_found(tmp_path: Path) -> None:
    path = lines(tmp_path / "x.jsonl", {"messages": PAIR, "audios": [A]}, {"messages": PAIR, "audio": A})
    assert ("key_collision", 2, "S0") in [(f.code, f.row, f.stage) for f in validate_file(path, "msswift", files=False)]


def test_plain_rows_beside_preference_rows_are_found_in_either_order(tmp_path: Path) -> None:
    plain, pair = {"messages": PAIR, "audios": [A]}, {"messages": PAIR, "audios": [A], "rejected_response": "n"}
    for rows, row in (((plain, pair), 1), ((pair, plain), 2)):
        found = list(validate_file(lines(tmp_path / "x.jsonl", *rows), "msswift", task="sft", files=False))
        assert [(f.row, f.code) for f in found] == [(row, "mixed_preference")]


def test_the_task_is_told_from_the_rows(tmp_path: Path) -> None:
    prompt = {"messages": [user("q")], "solution": "y"}
    for row, task in ((prompt, "grpo"), ({"messages": PAIR, "audios": [A]}, "sft"), (GOLDEN[11][1], "dpo")):
        summary = summarise_file(lines(tmp_path / "x.jsonl", row), "msswift", files=False)
        assert (summary.task, summary.task_detected) == (task, True)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda path: summarise_file(path / "no.jsonl", "msswift"), "no such file"),
        (lambda path: summarise_file(path, "msswift"), "no such file"),
        (lambda path: summarise_file(lines(path / "x.txt", {}), "msswift"), ".txt"),
        (lambda path: summarise_file(lines(path / "x.jsonl", {}), "nope"), "nope"),
        (lambda path: summarise_file(lines(path / "x.jsonl", {}), "msswift", task="nope"), "nope"),
    ],
)
def test_wrong_use(tmp_path: Path, call: Callable[[Path], Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        call(tmp_path)


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
    with duckdb.connect() as connection:
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


@pytest.mark.parametrize("task", ["sft", "grpo"])
def test_golden_rows_and_their_shapes_have_the_same_findings(task: str) -> None:
    rows = [case[1] for case in GOLDEN] + [case[0] for case in MORE]
    typed = [{name: row.get(name) for name in TYPED.names} for row in rows if is_typed(row)]
    assert len(typed) >= 25
    for row, shape in zip(typed, shapes(typed, TYPED, "msswift"), strict=True):
        assert told(shape, format="msswift", task=task) == told(row, format="msswift", task=task)


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


@pytest.mark.parametrize("task", ["sft", "grpo"])
@settings(max_examples=40, deadline=None)
@given(rows=st.lists(ROWS, min_size=1, max_size=40))
def test_a_row_and_its_shape_have_the_same_findings(task: str, rows: list[dict[str, Any]]) -> None:
    for row, shape in zip(rows, shapes(rows, TYPED, "msswift"), strict=True):
        assert told(shape, format="msswift", task=task) == told(row, format="msswift", task=task)


PAIRS = pa.schema([*TYPED, ("rejected_response", pa.string()), ("rejected_messages", MESSAGES)])


@settings(max_examples=40, deadline=None)
@given(rows=st.lists(ROWS.flatmap(lambda row: st.fixed_dictionaries(
    {name: st.just(value) for name, value in row.items()}
    | {"rejected_response": CONTENT, "rejected_messages": st.none() | TALK})), min_size=1, max_size=20))  # fmt: skip
def test_a_preference_row_and_its_shape_have_the_same_findings(rows: list[dict[str, Any]]) -> None:
    for row, shape in zip(rows, shapes(rows, PAIRS, "msswift"), strict=True):
        assert told(shape, format="msswift", task="dpo") == told(row, format="msswift", task="dpo")


WORD = st.none() | st.sampled_from(["", " ", "\t\n", "x", "/a.wav", "a.wav", "audio", "video", "mixed", "text"])


@settings(max_examples=40, deadline=None)
@given(rows=st.lists(st.fixed_dictionaries(dict.fromkeys(UNIFIED_TYPED.names, WORD)), min_size=1, max_size=40))
def test_a_unified_row_and_its_shape_have_the_same_findings(rows: list[dict[str, Any]]) -> None:
    for row, shape in zip(rows, shapes(rows, UNIFIED_TYPED, "unified"), strict=True):
        assert told(shape, format="unified", task=None) == told(row, format="unified", task=None)


def test_every_problem_names_a_stage() -> None:
    for module in FORMATS.values():
        for problem in module.PROBLEMS.values():
            assert problem.stage in {"S0", "S1", "S2", "rollout", "row", "file"}


def rows_in(findings: Iterator[Finding]) -> list[int]:
    return [finding.row for finding in findings]


def test_findings_stream(tmp_path: Path) -> None:
    path = lines(tmp_path / "x.jsonl", *[{"messages": []}] * 500)
    findings = validate_file(path, "msswift")
    assert next(findings).row == 1
    assert rows_in(findings) == list(range(2, 501))
