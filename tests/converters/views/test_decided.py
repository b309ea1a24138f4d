"""The statement of a request has what the request uses: its options are decided, columns that nobody reads are gone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import duckdb
import pytest
from support.view_rows import UPPER, all_macros, media, place_samples, sample, view_named
from triptych.converters.export.render import empty_columns
from triptych.converters.views import STYLES, VIEWS, ViewOptions, get_view
from triptych.converters.views.elements.macros import MACROS, SOURCE, Macros, read_macros
from triptych.converters.views.left_out import left_out_columns
from triptych.converters.views.prepare import (
    EMPTIABLE,
    PICTURES,
    PREPARED,
    READ_KEYS,
    SELECTING,
    TOOLS,
    WITH_LOSS,
    create_macros,
    create_prompts,
    macros_of,
    option_macros,
    turn_macro,
    with_prepared,
)
from triptych.converters.views.sql.fold import entry_of, fold
from triptych.converters.views.sql.syntax import column_names, expressions, select_of, written
from triptych.converters.views.statement import row_statement
from triptych.converters.views.terms.chunk_type import CHUNK
from triptych.shards.sample import SCHEMA
from triptych.shards.store.tables import duckdb_type


def folded(expression: str, **options: str) -> str:
    macros = Macros({"chosen": "NULL::VARCHAR", **options})
    (sql,) = written([macros.fold(select_of(f"SELECT {expression}"))])
    return sql.removeprefix("SELECT ")


@pytest.mark.parametrize(
    ("expression", "result"),
    [
        ("CASE WHEN chosen() = 'x' THEN a ELSE b END", "b"),
        ("CASE WHEN chosen() IS DISTINCT FROM 'x' THEN a ELSE b END", "a"),
        ("CASE WHEN a THEN 1 WHEN chosen() IS NULL THEN 2 ELSE 3 END", "CASE  WHEN (a) THEN (1) ELSE 2 END"),
        ("CASE chosen() WHEN 'x' THEN a ELSE b END AS c", "b AS c"),
        ("chosen() IS NULL AND a", "a"),
        ("chosen() IS NOT NULL AND a", "false"),
        ("chosen() IS NULL OR a", "true"),
        ("NOT (chosen() IS NULL)", "false"),
        ("'x' IN ('x', 'y')", "true"),
        ("f(CASE WHEN false THEN a ELSE b END)", "f(b)"),
        ("NOT (chosen() = 'x')", "NULL"),
        ("coalesce(chosen() <> 'x', a)", "a"),
        ("coalesce('x', a)", "'x'"),
        ("coalesce(NULL::VARCHAR, a, b)", "COALESCE(a, b)"),
        ("coalesce(NULL::VARCHAR[], [])", "COALESCE(CAST(NULL AS VARCHAR[]), list_value())"),
        ("CASE WHEN a AND chosen() = 'x' THEN b ELSE c END", "c"),
        ("coalesce(len(chosen()) > 0, false)", "false"),
        ("ascii(chosen()) BETWEEN 1 AND 2", "NULL"),
        # A branch that is never taken gives the result its type; where nothing tells the type, it stays.
        ("CASE WHEN a AND chosen() = 'x' THEN 'b' END", "CAST(NULL AS VARCHAR)"),
        ("CASE WHEN chosen() = 'x' THEN a END", "CASE  WHEN (NULL) THEN (a) ELSE NULL END"),
        # A branch that gives what ELSE gives, and a condition that may be null where it is not true.
        ("CASE WHEN a THEN b WHEN c THEN NULL END", "CASE  WHEN (a) THEN (b) ELSE NULL END"),
        ("CASE WHEN a THEN NULL WHEN c THEN b END", "CASE  WHEN (a) THEN (NULL) WHEN (c) THEN (b) ELSE NULL END"),
        ("CASE n WHEN 'x' THEN NULL WHEN 'y' THEN b END", "CASE  WHEN ((n = 'y')) THEN (b) ELSE NULL END"),
        (
            "CASE n WHEN 'x' THEN NULL WHEN 'x' THEN b END",
            "CASE  WHEN ((n = 'x')) THEN (NULL) WHEN ((n = 'x')) THEN (b) ELSE NULL END",
        ),
        ("CASE WHEN a OR chosen() = 'x' THEN b ELSE c END", "CASE  WHEN (a) THEN (b) ELSE c END"),
        ("a OR chosen() = 'x'", "(a OR NULL)"),
        ("chosen() = 'x' OR chosen() = 'y'", "CAST(NULL AS BOOLEAN)"),
        ("coalesce(len(NULL::VARCHAR[]), 0) = 0", "true"),
        ("len([m.a FOR m IN NULL::STRUCT(a INTEGER, b INTEGER)[] IF m.b > 1]) > 0", "NULL"),
        ("list_filter(NULL::VARCHAR[], lambda x: x = 'a')", "CAST(NULL AS VARCHAR[])"),
        ("list_transform([f(a)], lambda x: CASE WHEN true THEN x ELSE y END)[1]", "f(a)"),
        ("list_transform(a, lambda x: b)", "list_transform(a, (lambda x: b))"),
        (
            "CASE WHEN a THEN 1 ELSE 0 END + CASE WHEN chosen() = 'x' THEN 2 ELSE 0 END",
            "CASE  WHEN (a) THEN (1) ELSE 0 END",
        ),
        (
            "(SELECT chosen FROM (SELECT CASE WHEN true THEN a ELSE b END AS chosen FROM t))",
            "(SELECT chosen FROM (SELECT a AS chosen FROM t))",
        ),
    ],
)
def test_what_constants_decide_is_decided(expression: str, result: str) -> None:
    assert folded(expression) == result


TURNS = "[{'a': x, 'b': 1}, {'a': 'y', 'b': z}]"


@pytest.mark.parametrize(
    ("expression", "result"),
    [
        (f"[f(m.a, m.b) FOR m IN {TURNS}]", "list_value(f(x, 1), f('y', z))"),
        (f"{TURNS}[2].a", "'y'"),
        (f"CASE WHEN {TURNS}[1].b = 1 THEN c ELSE d END", "c"),
        (f"[m.a FOR m IN list_concat({TURNS}, [{{'a': 0, 'b': 0}}])]", "list_value(x, 'y', 0)"),
        # What is computed once stays so; members and places that are not there, and functions of places, stay too.
        ("[f(m.a) FOR m IN [{'a': f(x)}]]", "list_apply(list_value(struct_pack(a := f(x))), (lambda m: f(m.a)))"),
        ("[{'a': x}][3].a", "(list_value(struct_pack(a := x))[3]).a"),
        ("[m.c FOR m IN [{'a': x}]]", "list_apply(list_value(struct_pack(a := x)), (lambda m: m.c))"),
        ("list_apply([{'a': x}], lambda m, i: i)", "list_apply(list_value(struct_pack(a := x)), (lambda m, i: i))"),
    ],
)  # fmt: skip
def test_each_struct_that_is_written_out_in_a_list_is_taken_by_itself(expression: str, result: str) -> None:
    assert folded(expression) == result


def test_a_macro_of_structs_that_are_written_out_takes_each_by_itself() -> None:
    turns = "[{'role': 'user', 'content': x}, {'role': 'assistant', 'content': y}]"
    assert folded(f"typed_turns({turns})") == (
        "list_value(chat_message('user', typed_content(x)), chat_message('assistant', typed_content(y)))"
    )
    assert folded(f"typed_turns(without_system({turns}))") == folded(f"typed_turns({turns})")
    assert folded(f"has_pairs({turns})").startswith("has_pairs(")
    assert folded("typed_turns([{'role': 'user', 'content': m.x}])").count("m.x") == 1  # `m` is the lambda's


def test_where_nothing_is_the_quick_value_stands() -> None:
    assert folded("where_any(NULL::VARCHAR[], f(x), y)") == "y"
    assert folded("where_any(a, f(x), y)") == "where_any(a, f(x), y)"
    short = folded("messages_with_media(a, NULL::VARCHAR[], NULL::VARCHAR[], audios, NULL::STRUCT(x INTEGER)[])")
    assert "image" not in short and "string_split" not in short and "audios[1]" in short


def test_a_macro_that_comes_to_a_constant_or_an_argument_is_not_called() -> None:
    assert folded("as_requested(t, upper)", chosen_text="'raw'") == "t"
    assert folded("as_requested(t, upper)", chosen_text="'clean'") == "as_requested(t, upper)"
    assert folded("is_rejected_side(r, e, l)", chosen_task="'sft'", takes_pairs="false") == "false"


def test_a_macro_of_which_a_constant_decides_something_is_written_out_with_the_rest() -> None:
    answer = "answer_field(f(x), text, NULL::VARCHAR, NULL::VARCHAR, NULL::VARCHAR[], NULL::VARCHAR[], speaker, phones)"
    short = folded(answer)
    assert "answer_field" not in short and "translation" not in short and short.count("f(x)") > 1
    assert folded("clean_text(t, false)", chosen_text="'clean'").count("normalize_text(t)") == 1
    # A column `p` would be taken for the parameter of a lambda.
    assert folded(answer.replace("phones)", "p.phones)")).startswith("answer_field(")
    assert folded("turn('user', t)") == "turn('user', t)"


def test_folding_changes_no_value() -> None:
    values = ["NULL::VARCHAR", "'x'", "'y'"]
    tests = [f"{left} {sign} {right}" for left in values for right in values
             for sign in ("=", "<>", "IS DISTINCT FROM", "IS NOT DISTINCT FROM")]  # fmt: skip
    tests += [f"{test} {join} {other}" for test in tests[:12] for join in ("AND", "OR") for other in tests[4:20:3]]
    tests += [f"NOT ({test})" for test in tests] + ["'x' IN ('y')", "NULL IS NULL", "coalesce(NULL, 'x') = 'x'"]
    cases = [f"CASE WHEN {test} THEN 'a' ELSE 'b' END" for test in tests]
    plain = select_of("SELECT " + ", ".join(f"({each})::VARCHAR" for each in [*tests, *cases]))
    (short,) = written([fold(plain, lambda call: None)])
    (long,) = written([plain])
    assert duckdb.execute(short).fetchall() == duckdb.execute(long).fetchall() and len(short) < len(long) / 2


def test_all_macros_of_the_file_are_read_and_name_nothing_but_their_parameters() -> None:
    with duckdb.connect(":memory:") as connection:
        create_macros(connection, ViewOptions())
        found = "SELECT DISTINCT function_name, parameters FROM duckdb_functions() WHERE NOT internal"
        created = dict(connection.execute(found).fetchall())
    assert SOURCE.count("CREATE OR REPLACE MACRO ") == len(MACROS) and MACROS.keys() <= created.keys()
    for name, macro in MACROS.items():
        tree = select_of(f"SELECT ({macro.body})")
        lambdas = [each for each in expressions(tree) if each["class"] == "LAMBDA"]
        bound = {*macro.parameters, *(name for each in lambdas for name in column_names(each["lhs"]))}
        firsts = {str(e["column_names"][0]) for e in expressions(tree) if e["class"] == "COLUMN_REF"}
        assert firsts <= bound, name
        assert created[name] == list(macro.parameters)


def test_a_macro_is_read_from_its_first_line_to_its_semicolon() -> None:
    text = """-- CREATE OR REPLACE MACRO no(x) AS x;
CREATE OR REPLACE MACRO a() AS ';';

CREATE OR REPLACE MACRO b(x, y) AS
  x AS y;
"""
    read = read_macros(text)
    assert {name: (macro.parameters, macro.body) for name, macro in read.items()} == {
        "a": ((), "';'"), "b": (("x", "y"), "x AS y")
    }  # fmt: skip


def test_a_statement_has_no_column_that_nobody_reads() -> None:
    options = ViewOptions(task="sft")
    sql = with_prepared(row_statement(get_view("msswift"), "sft", {"_outcome": "_outcome"}), options)
    assert "task_prompt" in sql and "no_pair" not in sql and "rejected" not in sql and "chosen_task" not in sql
    everything = with_prepared("SELECT * FROM prepared", options)
    assert "no_pair" in everything and "dimension" in everything
    assert "answers" in everything and "answers" in sql and "target_names" in everything
    short = with_prepared("SELECT id FROM prepared", options)
    assert "JOIN" not in short
    assert "task_prompt" not in short and len(short) < len(everything) / 4


SOME = [("unified", None, None), ("msswift", None, "pretrain"), ("evaluation", "items", None)]


def _units() -> list[tuple[str, str | None, str | None]]:
    return [(name, style, task) for name in VIEWS for style in STYLES.get(name, {None: None})
            for task in get_view(name, style).tasks or (None,)]  # fmt: skip


def _types(view: str, style: str | None, task: str | None, *, with_loss: bool) -> None:
    """The whole statement, with the macros as the file has them, and the statement of the request: the same types."""
    own = {"phones": "39"} if view == "phoneme" else {}
    options, found = ViewOptions(task=task, own=own), get_view(view, style)
    statement = row_statement(found, task, {"_outcome": "NULL::VARCHAR"} | left_out_columns(found, options))
    columns = {name: duckdb_type(SCHEMA.field(name).type) for name in SCHEMA.names}
    columns |= dict.fromkeys(("image_paths", "video_paths", "audio_paths"), "VARCHAR[]") | dict.fromkeys(
        ("effective_task", "effective_split", "base_language", "sound", "sample_id", "prompt_of"), "VARCHAR"
    )
    columns |= {
        "audio_frames": "BIGINT",
        "audio_rate": "INTEGER",
        "audio_channels": "INTEGER",
        "prompt_part": "INTEGER",
    }
    columns |= {"upper": "BOOLEAN", "chunk": duckdb_type(CHUNK)}
    with duckdb.connect(":memory:") as connection:
        create_prompts(connection)
        named = "\n".join(f"CREATE MACRO {name}() AS {body};" for name, body in option_macros(options).items())
        connection.execute(f"{named}\n{turn_macro(with_loss=with_loss)}\n{SOURCE}")
        listed = ", ".join(f"NULL::{type_} AS {name}" for name, type_ in columns.items())
        messages = f" REPLACE ({WITH_LOSS} AS messages)" if with_loss else ""
        connection.execute(f"CREATE VIEW samples_with_paths AS SELECT *{messages} FROM (SELECT {listed})")
        whole = connection.execute(f"DESCRIBE WITH prepared AS (\n{PREPARED})\n{statement}").fetchall()
        nothing = {*EMPTIABLE, *PICTURES, *TOOLS, *(entry_of("extra", key) for key in READ_KEYS), "upper"}
        for empty in (frozenset[str](), frozenset(nothing) - ({"messages"} if with_loss else set())):
            short = with_prepared(statement, options, empty=empty)
            create_macros(connection, options, short, with_loss=with_loss)
            assert connection.execute(f"DESCRIBE {short}").fetchall() == whole


@pytest.mark.parametrize(("view", "style", "task"), SOME)
def test_a_statement_has_the_types_of_the_whole_one(view: str, style: str | None, task: str | None) -> None:
    _types(view, style, task, with_loss=view == "msswift")


@pytest.mark.thorough
@pytest.mark.parametrize(("view", "style", "task"), _units())
@pytest.mark.parametrize("with_loss", [False, True])
def test_statements_of_all_views_have_the_types_of_the_whole_ones(
    view: str, style: str | None, task: str | None, with_loss: bool
) -> None:
    _types(view, style, task, with_loss=with_loss)


def _samples() -> Iterator[list[dict[str, Any]]]:
    """Samples that have all kinds of fields, and those of one kind only."""
    said = sample(text=" HELLO  <COMMA> You ", language="en", speaker="s", reasoning="because", extra={"note": "n"})
    asked = sample(task="qa", question="Who?", answer="me", choices=["me", "you"], labels=["me"], captions=["a", "b"])
    held = sample(messages=[{"role": "user", "content": "Hear: <audio>"}, {"role": "assistant", "content": " "}])
    told = sample(
        messages=[{"role": "user", "content": "x"}, {"role": "assistant", "content": "<think>t</think>y"}],
        answer="z", reasoning="r", extra={"tools": "[]", "channel": "c", "message_keys": '[{"loss": true}, {"k": 1}]'},
    )  # fmt: skip
    pair = sample(question="q?", chosen="good", rejected="<think>b</think>bad", labels=["true"], extra={"label": "0"})
    seen = sample(modality="mixed", audio=None, video=media("v.mp4") | {"has_audio": True}, captions=["c", "d"])
    shown = sample(audio=None, image=media("i.png"), modality="image", extra={"objects": '{"bbox": [[1, 2]]}'})
    into = sample(task="s2tt", text="ja", translation="yes", target_language="de-AT", language="zh_CN")
    upper = sample(text="HELLO", dataset=UPPER)
    several = sample(text="two", more_media=[media("b.flac") | {"kind": "audio"}])
    bare = sample(audio=None, modality="text", text=" ", extra={"evaluation_prompt": "p", "reference": "r"})
    kinds = [said, asked, held, told, pair, seen, shown, into, upper, several, bare]
    yield [each | {"id": f"d/{number}"} for number, each in enumerate(kinds)]
    yield from ([each] for each in kinds)


def _rows(view: str, options: ViewOptions, groups: Iterable[list[dict[str, Any]]]) -> None:
    """The whole statement and that of the request make the same rows."""
    found = view_named(view)
    account = {"_outcome": "_outcome", "_mode": "mode", "_sound": "_sound"} | left_out_columns(found, options)
    statement = row_statement(found, options.task, account)
    with all_macros(options) as connection:
        for samples in groups:
            placed = place_samples(connection, samples, view, options)
            connection.execute(turn_macro(with_loss=WITH_LOSS in placed))
            connection.execute(f"CREATE OR REPLACE VIEW samples_with_paths AS {placed}")
            whole = connection.execute(f"WITH prepared AS (\n{PREPARED}\n) {statement} ORDER BY id").fetchall()
            short = with_prepared(statement, options, empty=empty_columns(connection, placed), samples=placed)
            assert connection.execute(f"{short} ORDER BY id").fetchall() == whole


def test_what_a_statement_leaves_out_changes_no_row() -> None:
    everything, *_ = _samples()
    _rows("msswift", ViewOptions("sft"), [everything[:1], everything])


@pytest.mark.thorough
@pytest.mark.parametrize(("view", "style", "task"), [unit for unit in _units() if unit[0] != "term-chunks"])
def test_what_statements_of_all_views_leave_out_changes_no_row(view: str, style: str | None, task: str | None) -> None:
    named, own = view if style is None else f"{view}/{style}", {"phones": "39"} if view == "phoneme" else {}
    own |= {"dimension": "safety"} if view == "preference" else {}
    variants: list[dict[str, Any]] = [
        {}, {"text": "raw"}, {"text": "lower", "reasoning": "drop"}, {"reasoning": "column", "av": "sound-only"},
        {"av": "in-video", "system": "s"}, {"modality": "video", "prompts": "varied"}, {"captions": "all"},
        {"user_template": "{modality_tag}{prompt}{text}"}, {"mode": "voice-chat"},
    ]  # fmt: skip
    everything, *others = _samples()
    _rows(named, ViewOptions(task, own=own), others)
    for changed in variants:
        _rows(named, ViewOptions(task, own=own, **changed), [everything])


def test_only_the_macros_that_a_statement_calls_are_created() -> None:
    with duckdb.connect(":memory:") as connection:
        create_macros(connection, ViewOptions(text="clean"), 'SELECT NOT_BLANK(t), "fold_spaces"(t)')
        found = connection.execute("SELECT function_name FROM duckdb_functions() WHERE NOT internal").fetchall()
        assert {name for (name,) in found} == {"not_blank", "fold_spaces"}
        create_macros(connection, ViewOptions(text="clean"), "as_requested(t, false)")
        assert connection.execute("SELECT as_requested(' A  b', false)").fetchall() == [("A b",)]
        create_macros(connection, ViewOptions(text="lower"), "as_requested(t, false)", *SELECTING)
        assert connection.execute("SELECT as_requested(' A  b', false)").fetchall() == [("a b",)]


def test_requests_with_other_options_have_other_macros() -> None:
    assert macros_of(ViewOptions(task="sft")) is macros_of(ViewOptions(task="sft"))
    assert macros_of(ViewOptions(own={"a": True})) is not macros_of(ViewOptions(own={"a": False}))
    assert macros_of(ViewOptions(seed=1)) is macros_of(ViewOptions(seed=2))  # no fixed prompt depends on it
    varied = [ViewOptions(prompts="varied", seed=seed) for seed in (1, 2)]
    assert macros_of(varied[0]) is not macros_of(varied[1])
    assert option_macros(ViewOptions(task="x'y"))["chosen_task"] == "'x''y'"
