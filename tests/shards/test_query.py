"""Queries: one SELECT over the store and nothing else, now or as of a run, with annotations laid over the samples."""

from __future__ import annotations

import json
import shutil
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import triptych
from support import imported
from support.stores import cli
from triptych.errors import UsageError
from triptych.shards.query import close_sandbox, connect
from triptych.shards.sample import COLUMNS
from triptych.shards.store.annotations import annotation_row
from triptych.shards.store.store import Store
from triptych.shards.store.tables import ANNOTATIONS

FIRST = "speech/train/utt000"


@pytest.fixture(scope="module")
def held(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six utterances, for tests that only read."""
    folder = tmp_path_factory.mktemp("held")
    return imported.bring_in(folder / "store", "speech", imported.speech_rows(folder / "in", 6), folder)


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """Three utterances of one test alone."""
    return imported.bring_in(tmp_path / "store", "speech", imported.speech_rows(tmp_path / "in", 3), tmp_path)


def ask(store: Path, sql: str, **options: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = triptych.query(sql, store=store, **options).to_pylist(maps_as_pydicts="strict")
    return found


def first(store: Path, column: str, relation: str = "samples") -> Any:
    (row,) = ask(store, f"select {column} as value from {relation} where id = '{FIRST}'")
    return row["value"]


def printed(store: Path, *words: str) -> bytes:
    done = cli("query", *words, "--store", store)
    assert done.returncode == 0, done.stderr
    return done.stdout.encode(errors="surrogateescape")


# ---- formats


def test_a_query_prints_a_table_csv_json_or_parquet(held: Path, tmp_path: Path) -> None:
    sql = "select id, speaker, audio.duration as seconds, choices from samples order by id limit 2"
    head, _, *lines = printed(held, sql).decode().splitlines()
    assert head.split() == ["id", "speaker", "seconds", "choices"]
    assert [line.split() for line in lines] == [["speech/test/utt004", "0.10"], ["speech/train/utt000", "0.10"]]
    assert printed(held, sql, "--format", "csv").decode() == (
        "id,speaker,seconds,choices\nspeech/test/utt004,,0.1,\nspeech/train/utt000,,0.1,\n"
    )
    rows = [
        {"id": "speech/test/utt004", "speaker": None, "seconds": 0.1, "choices": None},
        {"id": "speech/train/utt000", "speaker": None, "seconds": 0.1, "choices": None},
    ]
    assert json.loads(printed(held, sql, "--format", "json")) == json.loads(printed(held, sql, "--json")) == rows
    (tmp_path / "out.parquet").write_bytes(printed(held, sql, "--format", "parquet"))
    assert pq.read_table(tmp_path / "out.parquet").to_pylist() == rows


def test_json_holds_every_kind_of_value(held: Path) -> None:
    sql = """select sum(1::bigint) as whole, 1.50::decimal(4, 2) as part, 'nan'::double as nan, 'inf'::double as inf,
        date '2026-01-02' as day, map {'a': 1} as map, [1, null] as list, {'x': 'y'} as struct, true as yes,
        1 as a, 2 as a, '\u202e\u0085\x7f' as odd"""
    assert json.loads(printed(held, sql, "--json")) == [
        {"whole": 1, "part": 1.5, "nan": None, "inf": None, "day": "2026-01-02", "map": {"a": 1}, "list": [1, None],
         "struct": {"x": "y"}, "yes": True, "a": 1, "a_1": 2, "odd": "\u202e\x85\x7f"}
    ]  # fmt: skip
    assert printed(held, sql, "--json").decode().isprintable() is False  # it has lines
    assert all(line.isprintable() for line in printed(held, sql, "--json").decode().splitlines())


# ---- the sandbox


@pytest.mark.parametrize(
    "sql",
    [
        "", ";", "nonsense", "select", "select 1; select 2", "drop view samples", "create table t (a int)",
        "insert into samples select * from samples", "update samples set text = ''", "delete from samples",
        "copy samples to '/tmp/out.csv'", "copy (select 1) to 'out.csv'", "attach '/tmp/x.duckdb'", "install httpfs",
        "load httpfs", "pragma version", "set enable_external_access = true", "reset lock_configuration",
        "export database '/tmp/x'", "call pragma_version()", "vacuum", "checkpoint", "use memory",
        "select * from read_csv('/etc/passwd')", "select * from '/etc/passwd'",
        "select * from read_text('/etc/passwd')", "select * from read_blob('/proc/self/environ')",
        "select * from glob('/etc/*')",
        "select * from read_parquet('/tmp/*.parquet')", "select * from read_json('http://127.0.0.1:9/x')",
        "select * from parquet_metadata('/etc/passwd')", "select getenv('HOME')",
        "from query('select * from read_csv(''/etc/passwd'')')", "select nosuch from samples", "select * from nosuch",
    ],
)  # fmt: skip
def test_anything_but_one_select_over_the_store_is_refused(held: Path, sql: str) -> None:
    with pytest.raises(UsageError):
        triptych.query(sql, store=held)


def test_a_file_that_is_not_there_is_a_wrong_usage_which_names_it(held: Path) -> None:
    path = held / "exports/nope.parquet"
    for sql in (f"select * from read_parquet('{path}')", f"select * from '{path}'"):
        with pytest.raises(UsageError, match=r"no file .*/exports/nope\.parquet, which the query names"):
            triptych.query(sql, store=held)


def test_a_version_without_rows_is_named_with_the_reason(own: Path) -> None:
    triptych.export("unified", name="all", store=own)
    assert len(ask(own, 'from exports."all@v1"')) == 3
    triptych.exports.gc(keep=0, older_than_days=0, store=own)
    for name in ("all@v1", "all"):
        with pytest.raises(UsageError, match=r"all@v1: its rows were deleted at .* by `exports gc`"):
            ask(own, f'from exports."{name}"')
    with pytest.raises(UsageError, match="all@v2 does not exist") as raised:
        ask(own, 'from exports."all@v2"')
    assert "budgets, exports.versions" in (raised.value.hint or "")


def test_what_lies_beside_the_store_is_out_of_reach(held: Path) -> None:
    beside = held.parent / "store-of-another.csv"
    beside.write_text("a\n1\n")
    for path in (beside, held / ".." / beside.name):
        with pytest.raises(UsageError):
            triptych.query(f"select * from read_csv('{path}')", store=held)


def test_the_folder_for_temporary_files_of_duckdb_is_out_of_reach(
    held: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in (".tmp", "duckdb_temp"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "secret.csv").write_text("a\n1\n")
        for path in (f"{name}/secret.csv", tmp_path / name / "secret.csv"):
            with pytest.raises(UsageError):
                triptych.query(f"select * from read_csv('{path}')", store=held)
            with pytest.raises(UsageError):
                triptych.export("unified", store=held, where=f"(select a from read_csv('{path}')) = 1")


def test_a_query_larger_than_memory_spills_into_the_store(held: Path) -> None:
    shutil.rmtree(held / "partial", ignore_errors=True)
    with connect(Store.open(held), memory_limit="40MB") as connection:
        connection.execute("set threads = 1")
        close_sandbox(connection, held)
        folder = Path(str(connection.sql("select current_setting('temp_directory')").fetchall()[0][0]))
        connection.execute("create temp table sorted as select hash(range) h from range(5_000_000) order by h")
        assert folder.parent == held / "partial" / "tmp" and any(folder.iterdir())
    assert not folder.exists()


@pytest.mark.parametrize("sql", ["from samples", "with x as (select 1 as a) from x", "values (1)", "describe samples",
                                 "select 1 -- done;", "select ';' as a;"])  # fmt: skip
def test_every_way_to_write_one_select_is_taken(held: Path, sql: str) -> None:
    assert triptych.query(sql, store=held).num_rows >= 1


def test_a_missing_store_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=str(tmp_path / "nosuch")):
        triptych.query("select 1", store=tmp_path / "nosuch")
    assert not (tmp_path / "nosuch").exists()


@pytest.mark.parametrize("name", ["x..y", "Ünï", "a'b", "a b", "-a", "_all", "", "0" * 65, "a/b"])
def test_a_name_that_could_harm_a_path_or_a_query_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match="is not a valid name"):
        triptych.import_data("jsonl", imported.table(tmp_path / "t", []), name=name, store=tmp_path / "store")


def test_a_dataset_of_any_allowed_name_can_be_asked_for(tmp_path: Path) -> None:
    names = ["1st", "a.b", "a-b_c", "select", "0" * 64]
    source = imported.table(tmp_path / "t.jsonl", imported.speech_rows(tmp_path / "in", 1))
    for name in names:
        triptych.import_data("jsonl", source, name=name, store=tmp_path / "store")
    found = ask(tmp_path / "store", "select dataset, count(*) as n from samples group by 1 order by 1")
    assert found == [{"dataset": name, "n": 1} for name in sorted(names)]
    for name in names:
        version = triptych.export("unified", store=tmp_path / "store", dataset=name).version
        assert [row["id"] for row in imported.read_lines(version.data)] == [f"{name}/train/utt000"]


# ---- as of


def test_a_query_as_of_a_run_or_a_time_sees_the_store_of_then(own: Path, tmp_path: Path) -> None:
    (run,) = ask(own, "select run_id, finished_at from runs")
    then = datetime.now(UTC)
    imported.bring_in(own, "speech", imported.speech_rows(tmp_path / "in", 2, start=10), tmp_path)
    triptych.annotate(FIRST, "text", "corrected", store=own)
    sql = f"select count(*) as n, max(text) filter (id = '{FIRST}') as t, (select count(*) from runs) as r from samples"
    before, after = {"n": 3, "t": "text number 0", "r": 1}, {"n": 5, "t": "corrected", "r": 3}
    assert ask(own, sql) == [after]
    for at in (run["run_id"], then.isoformat(), then.strftime("%Y-%m-%dT%H:%M:%S.%fZ"), str(run["finished_at"])):
        assert ask(own, sql, at=at) == [before]
    last = ask(own, "select run_id from runs order by finished_at desc limit 1")[0]["run_id"]
    assert ask(own, sql, at=last) == [after] and ask(own, sql, at="2999-01-01") == [after]


@pytest.mark.parametrize("at", ["nosuch", "2020-01-01", "2026-13-45", "'; drop table runs --"])
def test_an_at_that_names_nothing_is_a_wrong_usage(held: Path, at: str) -> None:
    with pytest.raises(UsageError, match="is neither a run"):
        triptych.query("select 1", store=held, at=at)


# ---- annotations


KNOWN: dict[str, tuple[str, Any]] = {
    "text": ("corrected \u4f60 'quoted'", "corrected \u4f60 'quoted'"),
    "language": ("de", "de"),
    "start_s": ("0.05", 0.05),
    "labels": ('["a", "b \\u00fc"]', ["a", "b ü"]),
    "captions": ("[]", []),
    "messages": ('[{"role": "user", "content": "hi"}]', [{"role": "user", "content": "hi"}]),
    "words": ('[{"text": "a", "start_s": 0, "end_s": 0.5}]', [{"text": "a", "start_s": 0.0, "end_s": 0.5}]),
}


def test_a_known_key_stands_in_for_the_typed_column(own: Path) -> None:
    columns = f"select id, {', '.join(KNOWN)} from"
    before = ask(own, f"{columns} samples order by id")
    triptych.annotate([(FIRST, key, value) for key, (value, _) in KNOWN.items()], store=own, producer="test")
    expected = {"id": FIRST} | {key: typed for key, (_, typed) in KNOWN.items()}
    assert ask(own, f"{columns} samples order by id") == [expected, *before[1:]]
    assert ask(own, f"{columns} samples_as_pulled order by id") == before
    assert ask(own, "select id, key, value, producer from annotations order by key") == [
        {"id": FIRST, "key": key, "value": KNOWN[key][0], "producer": "test"} for key in sorted(KNOWN)
    ]
    assert all(before[1][key] != expected[key] for key in KNOWN)


def test_an_unknown_key_lands_in_extra_and_the_latest_wins(own: Path) -> None:
    for value in ("first", "second", "third"):
        triptych.annotate(FIRST, "my review", value, store=own)
        triptych.annotate(FIRST, "text", value, store=own)
    assert first(own, "extra['my review']") == "third" and first(own, "text") == "third"
    assert first(own, "extra", "samples_as_pulled") in (None, {}, [])


UNREADABLE = [
    ("start_s", "soon"), ("start_s", "nan"), ("end_s", "inf"), ("start_s", "-1"), ("end_s", "1_0"), ("", "x"),
    ("captions", "one"), ("captions", '{"a": 1}'), ("captions", "[1]"), ("captions", '["\\ud800"]'),
    ("captions", "[" * 100_000), ("words", '[{"text": "a", "start_s": NaN, "end_s": 1}]'),
    ("words", '[{"text": "a", "start_s": 1e999, "end_s": 1}]'), ("phones", '[{"text": "a"}]'),
    ("messages", '[{"role": "user"}]'),
    *((name, "x") for name in COLUMNS if name in ("id", "dataset", "audio", "license", "panel", "extra", "source")),
]  # fmt: skip


def test_a_value_that_no_query_could_read_is_refused_when_it_is_written(held: Path) -> None:
    written = []
    for key, value in UNREADABLE:
        with suppress(UsageError):
            triptych.annotate(FIRST, key, value, store=held)
            written.append((key, value))
    assert written == [] and ask(held, "select count(*) as n from annotations") == [{"n": 0}]


def test_a_bad_value_from_elsewhere_stops_no_query(own: Path) -> None:
    store = Store.open(own)
    rows = [annotation_row(FIRST, "speech", key, "[1", "elsewhere", datetime.now(UTC))
            for key in ("captions", "start_s", "words", "messages")]  # fmt: skip
    store.append("annotations", pa.Table.from_pylist(rows, schema=ANNOTATIONS))
    assert first(own, "captions") is None and first(own, "text") == "text number 0"


def test_an_unknown_sample_is_refused_with_the_nearest_id(own: Path) -> None:
    with pytest.raises(UsageError) as caught:
        triptych.annotate("speech/train/utt0000", "text", "x", store=own)
    assert "speech/train/utt000" in (caught.value.hint or "")


# ---- the plain client, and one sample's life


@pytest.mark.usefixtures("views_written")
def test_the_plain_duckdb_client_agrees_with_our_query(own: Path) -> None:
    triptych.annotate(FIRST, "text", "corrected", store=own)
    triptych.validate(store=own)
    triptych.export("unified", store=own)
    with duckdb.connect(str(own / "store.duckdb"), read_only=True) as plain:
        plain.execute("SET TimeZone = 'UTC'")
        for table in ("samples", "samples_as_pulled", "checks", "verdicts", "annotations", "events", "runs"):
            sql = f"select * from {table} order by all"
            assert plain.sql(sql).to_arrow_table().to_pylist() == triptych.query(sql, store=own).to_pylist()


def test_explain_tells_a_sample_s_whole_life(own: Path) -> None:
    triptych.annotate(FIRST, "text", "corrected", store=own, producer="me")
    triptych.validate(store=own)
    version = triptych.export("unified", store=own).version
    life = triptych.explain(FIRST, store=own)
    assert life["sample"]["text"] == "corrected" and life["exports"] == [version.reference]
    assert [(item["key"], item["value"], item["producer"]) for item in life["annotations"]] == [
        ("text", "corrected", "me")
    ]
    assert life["verdict"][0]["verdict"] in ("keep", "warn", "reject") and len(life["checks"]) == 1


def test_explain_knows_a_candidate_that_was_never_stored(tmp_path: Path) -> None:
    bad = tmp_path / "bad.flac"
    bad.write_bytes(b"no sound at all")
    given = [*imported.speech_rows(tmp_path / "in", 1), {"id": "bad", "audio": str(bad), "text": "x"}]
    store = imported.bring_in(tmp_path / "store", "speech", given, tmp_path)
    (event,) = ask(store, "select candidate, reason from events")
    life = triptych.explain(event["candidate"], store=store)
    assert life["sample"] is None and life["events"][0]["reason"] == event["reason"]
    with pytest.raises(UsageError, match="has no sample and no event with the id"):
        triptych.explain("nosuch", store=store)
