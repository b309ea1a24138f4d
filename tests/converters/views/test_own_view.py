"""A view that somebody brings: published, kept in its version, part of the identity; refused with line and reason."""

from __future__ import annotations

import json
from importlib import metadata
from pathlib import Path

import pytest
import triptych
from support import imported
from triptych.converters.convert.result import ConvertResult
from triptych.converters.views import VIEWS, get_view
from triptych.converters.views.base import make_view
from triptych.converters.views.statement import checked, columns_of, reads, row_statement
from triptych.errors import ProblemsFound, UsageError
from triptych.shards.exports.copies import pack

MINE = """-- order: id
-- text: raw
--
-- A question, its answer, and what to listen to.
SELECT id,
       prompt AS question,
       solution AS answer,
       audio_paths AS audios,
       CASE WHEN solution IS NULL THEN 'no_answer' END AS skip
FROM prepared
"""


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three utterances, one without text; tests add versions to it."""
    folder = tmp_path_factory.mktemp("own-view")
    given = imported.speech_rows(folder / "in", 3)
    given[1]["text"] = " "
    return imported.bring_in(folder / "store", "speech", given, folder)


def view_file(tmp_path: Path, sql: str, name: str = "my_view") -> str:
    path = tmp_path / f"{name}.sql"
    path.write_text(sql)
    return str(path)


def test_a_view_of_ones_own_is_published_with_its_file(store: Path, tmp_path: Path) -> None:
    result = triptych.export(view_file(tmp_path, MINE), store=store, name="once")
    version, rows = result.version, [json.loads(line) for line in result.version.data.read_text().splitlines()]
    assert version.reference == "once@v1" and result.counts == {"no_answer": 1, "written": 2}
    assert [sorted(row) for row in rows] == [["answer", "audios", "id", "question"]] * 2
    assert all(Path(path).is_file() for row in rows for path in row["audios"])
    assert version.manifest["view_file"] == "my_view.sql" and "my_view.sql" in version.manifest["files"]
    assert (version.path / "my_view.sql").read_text() == MINE
    packed = pack(version, tmp_path / "packed")
    assert (tmp_path / "packed" / "my_view.sql").read_text() == MINE and "my_view.sql" in packed["files"]


def test_the_text_of_the_view_is_part_of_the_identity(store: Path, tmp_path: Path) -> None:
    first = triptych.export(view_file(tmp_path, MINE), store=store, name="mine")
    again = triptych.export(view_file(tmp_path, MINE), store=store, name="mine")
    assert again.reused and again.version.reference == first.version.reference
    other = triptych.export(view_file(tmp_path, MINE.replace("question,", "asked,")), store=store, name="mine")
    assert not other.reused and other.version.reference == "mine@v2"


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("SELECT id FROM read_text('/etc/passwd')", "line 1 calls the table function read_text"),
        ("SELECT id\nFROM '/etc/passwd.csv'", "line 2 reads '/etc/passwd.csv'"),
        ("SELECT id FROM samples", "reads 'samples'"),
        ("SELECT id FROM prepared, glob('*')", "reads a join"),
        ("SELECT id, (SELECT max(content) FROM read_text('/etc/passwd')) AS t FROM prepared", "has a subquery"),
        ("SELECT id FROM (SELECT * FROM prepared)", "reads a subquery"),
        ("WITH p AS (FROM prepared) SELECT id FROM prepared", "has WITH"),
        ("SELECT id FROM prepared WHERE text IS NOT NULL", "must not have WHERE"),
        ("SELECT id FROM prepared GROUP BY id", "must not have GROUP BY"),
        ("SELECT id FROM prepared LIMIT 3", "LIMIT"),
        ("SELECT id FROM prepared UNION ALL SELECT id FROM prepared", "not a set operation"),
        ("SELECT id, random() AS r\nFROM prepared", "random, which is not deterministic"),
        ("SELECT id, current_timestamp AS t FROM prepared", "current_timestamp, which is not deterministic"),
        ("SELECT id, CURRENT_DATE AS t FROM prepared", "current_date, which is not deterministic"),
        ("SELECT id, localtime AS t FROM prepared", "localtime, which is not deterministic"),
        ("SELECT id, year(localtimestamp) AS t FROM prepared", "localtimestamp, which is not deterministic"),
        ("SELECT id, current_time AS t FROM prepared", "current_time, which is not deterministic"),
        ("SELECT id, age(DATE '2020-01-01') AS t FROM prepared", "age with one argument, which is not deterministic"),
        ("SELECT id, ago(INTERVAL 1 DAY) AS t FROM prepared", "ago, which is not deterministic"),
        ("SELECT id, user AS u FROM prepared", "user, which is not deterministic"),
        ("SELECT id, session_user AS u FROM prepared", "session_user, which is not deterministic"),
        ("SELECT id, current_catalog AS u FROM prepared", "current_catalog, which is not deterministic"),
        ("SELECT id, version() AS v FROM prepared", "version, which is not deterministic"),
        ("SELECT id, current_localtimestamp() AS t FROM prepared", "current_localtimestamp, which is not determinist"),
        ("SELECT id FROM prepared AS p(dataset, id)", "renames the columns of `prepared`: p(dataset, id)"),
        ("SELECT audio.id AS id FROM prepared", "must have the sample's id"),
        ("SELECT id, audio_paths[1] AS Audio FROM prepared", "'Audio' is a media column in any case"),
        ("SELECT id, 'x' AS skip, 'y' AS SKIP FROM prepared", "'SKIP' twice"),
        ("SELECT id, count(*) AS n FROM prepared", "calls count"),
        ("SELECT id, row_number() OVER () AS n FROM prepared", "calls row_number"),
        ("SELECT id, unnest(labels) AS label FROM prepared", "calls unnest"),
        ("SELECT * FROM prepared", "has * or COLUMNS"),
        ("SELECT id, lower(text) FROM prepared", "without a name"),
        ("SELECT id, text, answer AS text FROM prepared", "'text' twice"),
        ("SELECT text FROM prepared", "must have the sample's id"),
        ("SELECT upper(id) AS id FROM prepared", "must have the sample's id"),
        ("SELECT id, _verdict AS v FROM prepared", "names that start with _"),
        ("SELECT id, text AS _text FROM prepared", "starts with _"),
        ("SELECT id, $1 AS x FROM prepared", "a parameter"),
        ("SELECT id FROM prepared; DROP TABLE x", "not one SELECT"),
        ("SELECT id FROM prepared; SELECT id FROM prepared", "2 statements"),
        ("INSTALL httpfs", "not one SELECT"),
        ("SELECT id,\nFROM FROM prepared", "line 2"),
    ],
)
def test_whatever_is_no_view_is_refused_with_its_place(sql: str, said: str) -> None:
    with pytest.raises(UsageError) as error:
        checked(make_view(sql, file="bad.sql"))
    assert said in str(error.value) and "'bad'" in str(error.value)


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("SELECT id,\n       txet\nFROM prepared", "line 2: `prepared` has no column 'txet'"),
        ("SELECT id, audio AS audio FROM prepared", "columns of that name hold paths"),
        ("-- media: audios\nSELECT id, text FROM prepared", "no column 'audios', which its header lists as media"),
    ],
)
def test_a_view_that_cannot_be_made_of_samples_is_refused(store: Path, tmp_path: Path, sql: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        triptych.export(view_file(tmp_path, sql), store=store)


def test_a_path_that_is_none_of_the_samples_own_is_refused(store: Path, tmp_path: Path) -> None:
    with pytest.raises(ProblemsFound, match="3 refused_foreign_path"):
        triptych.export(view_file(tmp_path, "SELECT id, '/etc/passwd' AS audio FROM prepared"), store=store)


@pytest.mark.parametrize(
    ("header", "said"),
    [
        ("-- colour: red", "line 1: 'colour' is not a key of the header"),
        ("-- order: id\n-- order: hash", "line 2: the header has the key 'order' twice"),
        ("-- order: length", "order must be hash or id"),
        ("-- text:", "no value"),
        ("-- format: nosuch", "format must be unified or msswift"),
        ("-- media: sound", "line 1: 'sound' cannot be a media column"),
        ("-- name: Not A Name", "not a valid name"),
    ],
)
def test_a_wrong_header_is_refused_with_its_line(header: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        make_view(f"{header}\n\nSELECT id FROM prepared", file="bad.sql")


def test_a_view_with_tasks_leaves_out_the_columns_of_the_others() -> None:
    view = make_view(
        "-- tasks: sft, dpo\n-- only dpo: rejected\n\nSELECT id, turns, rejected FROM prepared", file="pairs.sql"
    )
    assert (columns_of(view, "sft"), columns_of(view, "dpo")) == (["id", "turns"], ["id", "turns", "rejected"])


def test_names_in_sql_ignore_case() -> None:
    view = make_view(
        "-- tasks: sft, dpo\n-- only dpo: Rejected\n\n"
        "SELECT p.ID AS id, text AS rejected, NULL AS Skip FROM PREPARED p",
        file="loud.sql",
    )
    assert columns_of(view, "sft") == ["id"] and columns_of(view, "dpo") == ["id", "rejected"]
    assert "AS _skip" in row_statement(view, "sft", {"_outcome": "_outcome"})
    assert reads(make_view("SELECT id, TURNS AS t FROM prepared", file="t.sql")) == {"id", "turns"}
    checked(
        make_view("SELECT id, age(DATE '2020-01-01', DATE '2021-01-01') AS t, pi() AS p FROM prepared", file="a.sql")
    )


def test_every_function_without_arguments_is_known_as_constant_or_refused() -> None:
    import duckdb

    constant = {
        "+", "pi", "list_concat", "list_cat", "list_pack", "json_array", "unpivot_list", "map", "row", "add",
        "array_cat", "list_value", "json_object", "struct_pack", "array_concat",
    }  # fmt: skip
    with duckdb.connect(":memory:") as connection:
        names = connection.execute("""
            SELECT DISTINCT function_name FROM duckdb_functions()
            WHERE function_type IN ('scalar', 'macro') AND len(parameters) = 0""").fetchall()
        for (name,) in names:
            try:
                connection.execute(f'SELECT "{name}"() IS NULL').fetchall()
            except duckdb.Error:
                continue  # it needs arguments
            if name not in constant:
                with pytest.raises(UsageError, match="not deterministic"):
                    checked(make_view(f"SELECT id, {name}() AS x FROM prepared", file="bad.sql"))


def test_a_name_of_our_own_views_and_a_missing_file_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is the name of a built-in view"):
        get_view(view_file(tmp_path, MINE, "unified"))
    with pytest.raises(UsageError, match=r"none\.sql: No such file"):
        get_view(str(tmp_path / "none.sql"))
    with pytest.raises(UsageError, match="There is no view 'nowhere'"):
        get_view("nowhere")


def test_a_package_adds_a_view_by_its_entry_point(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "their_package.py").write_text(f"VIEW = {view_file(tmp_path, MINE, 'theirs')!r}\nBAD = 3\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    points = [
        metadata.EntryPoint("theirs", "their_package:VIEW", "triptych.views"),
        metadata.EntryPoint("broken", "their_package:BAD", "triptych.views"),
    ]
    monkeypatch.setattr(metadata, "entry_points", lambda group: points if group == "triptych.views" else [])
    assert get_view("theirs").name == "theirs" and not get_view("theirs").built_in
    with pytest.raises(UsageError, match="broken"):
        get_view("broken")
    assert not {"theirs", "broken"} & VIEWS.keys()


@pytest.mark.parametrize("form", ["unified", "msswift"])
def test_a_format_does_not_open_the_door_to_foreign_paths(store: Path, tmp_path: Path, form: str) -> None:
    sql = (
        f"-- format: {form}\n\nSELECT id, 'audio' AS modality, text, '/etc/passwd' AS audio,\n"
        "  turns AS messages, ['/etc/passwd'] AS audios FROM prepared"
    )
    with pytest.raises(ProblemsFound, match="3 refused_foreign_path"):
        triptych.export(view_file(tmp_path, sql), store=store)


def test_a_byte_order_mark_does_not_hide_the_header(store: Path, tmp_path: Path) -> None:
    path = tmp_path / "bom.sql"
    path.write_text(MINE, encoding="utf-8-sig")
    assert (get_view(path).order, get_view(str(path)).text) == ("id", "raw")
    assert triptych.export(path, store=store).counts == {"no_answer": 1, "written": 2}


NOT_FINITE = (
    "'nan'::DOUBLE",
    "'-inf'::FLOAT",
    "[1.5::DOUBLE, NULL, 'nan'::DOUBLE]",
    "{'a': [{'b': 'inf'::DOUBLE}]}",
    "MAP {'k': 'nan'::DOUBLE}",
    "['nan'::DOUBLE, 1.0]::DOUBLE[2]",
    "to_json({'a': 'nan'::DOUBLE})",
)


def test_a_number_that_json_lacks_never_reaches_a_row(tmp_path: Path) -> None:
    """Each of the first rows has such a number in a column of its own, and the last in none."""
    given = imported.speech_rows(tmp_path / "in", len(NOT_FINITE) + 1)
    store = imported.bring_in(tmp_path / "store", "speech", given, tmp_path)
    columns = [f"CASE WHEN id LIKE '%/utt00{n}' THEN {sql} END AS x{n}" for n, sql in enumerate(NOT_FINITE)]
    result = triptych.export(view_file(tmp_path, f"SELECT id, {', '.join(columns)} FROM prepared"), store=store)
    assert result.counts == {"not_finite": len(NOT_FINITE), "written": 1}
    row = json.loads(result.version.data.read_text())
    assert row.pop("id").endswith(f"utt00{len(NOT_FINITE)}") and set(row.values()) <= {None}


@pytest.mark.parametrize(
    ("column", "said"),
    [
        ("len(text)::HUGEINT AS n", "'n' is HUGEINT"),
        ("list_sum([len(text)]) AS n", "'n' is HUGEINT"),
        (
            "{'a': [len(text)::UHUGEINT]} AS n",
            r"'n' is STRUCT\(a UHUGEINT\[\]\); readers of JSON would round a UHUGEINT",
        ),
        ("true AS skip", "skip is BOOLEAN; it holds a reason code or NULL"),
        ("7 AS SKIP", "skip is INTEGER; it holds a reason code or NULL"),
        ("'No Answer' AS skip", "skip of speech/.* is 'No Answer', which is not a reason code"),
        ("'' AS skip", "skip of speech/.* is '', which is not a reason code"),
        ("'written' AS skip", "'written', which is reserved"),
        ("text::INT AS n", "'own' fails: Conversion Error: "),
    ],
)
def test_values_that_no_row_may_hold_are_refused(store: Path, tmp_path: Path, column: str, said: str) -> None:
    path = view_file(tmp_path, f"SELECT id, {column} FROM prepared", "own")
    for run in (
        lambda: triptych.export(path, store=store),
        lambda: convert_texts(tmp_path, path),
    ):
        with pytest.raises(UsageError, match=said.replace("speech/", "")) as error:
            run()
        assert error.value.hint and "\n" not in error.value.message


def convert_texts(tmp_path: Path, to: str) -> ConvertResult:
    path = tmp_path / "texts.jsonl"
    path.write_text('{"id": "a", "text": "hello"}\n')
    return triptych.convert("jsonl", path, tmp_path / "out.jsonl", to=to, modality="text")


def test_odd_names_and_exact_numbers_are_written_alike(store: Path, tmp_path: Path) -> None:
    sql = """SELECT id, 'x' AS "a""b", 'y' AS "it's", 12345678901234567.89::DECIMAL(38, 2) AS "d e",
                    0.1::DECIMAL(3, 2) AS f,
                    DATE '2026-01-31' AS day, {'k': [DATE '2026-01-31']} AS s, to_json([1]) AS j, 'z' AS "select"
             FROM prepared"""
    path = view_file(tmp_path, sql)
    line = triptych.export(path, store=store).version.data.read_text().splitlines()[0]
    assert '"a\\"b":"x","it\'s":"y","d e":12345678901234567.89,"f":0.1' in line
    out = tmp_path / "out.jsonl"
    refused = convert_texts(tmp_path, path)
    assert dict(refused.reasons) == {"not_exact": 1}
    path = view_file(tmp_path, sql.replace("12345678901234567.89", "1234567.89"))
    convert_texts(tmp_path, path)
    exported = json.loads(triptych.export(path, store=store).version.data.read_text().splitlines()[0])
    assert json.loads(out.read_text()) == exported | {"id": "a"}


def test_convert_runs_a_view_by_the_same_rules(tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    with pytest.raises(UsageError, match="`prepared` has no column 'txet'"):
        convert_texts(tmp_path, view_file(tmp_path, "SELECT id, txet FROM prepared"))
    foreign = view_file(tmp_path, "SELECT id, '/etc/passwd' AS audio FROM prepared")
    assert dict(convert_texts(tmp_path, foreign).reasons) == {"refused_foreign_path": 1}
    nan = view_file(tmp_path, "SELECT id, {'a': 'nan'::DOUBLE} AS x, 'inf'::DOUBLE AS y FROM prepared")
    assert dict(convert_texts(tmp_path, nan).reasons) == {"not_finite": 1}
    assert not out.exists()


def test_what_is_no_view_says_what_to_type(tmp_path: Path) -> None:
    (tmp_path / "good.txt").write_text(MINE)
    with pytest.raises(UsageError, match=r"the file of a view ends in \.sql"):
        get_view(str(tmp_path / "good.txt"))
    with pytest.raises(UsageError, match=r"not 5\.") as error:
        get_view(5)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="There is no view 'mswift'") as error:
        get_view("mswift")
    assert error.value.hint == "did you mean msswift?"
    with pytest.raises(UsageError, match="No such file") as error:
        get_view("./none.sql")
    assert error.value.hint
