"""The forms in which `query` gives rows: files, and tables cut to the terminal."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import triptych
from support.stores import cli
from triptych.commands import output


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("query") / "store"
    triptych.pull("demo-speech", samples=2, store=place)
    return place


def test_rows_are_written_to_a_file_in_the_format_of_its_name(store: Path, tmp_path: Path) -> None:
    sql = "select id, text, audio_file from samples order by id"
    expected = triptych.query(sql, store=store)
    for name in ("rows.parquet", "rows.csv", "rows.json"):
        done = cli("query", sql, "--out", tmp_path / name, "--store", store)
        assert (done.returncode, done.stdout) == (0, "") and f"2 rows written to {tmp_path / name}" in done.stderr
    assert pq.read_table(tmp_path / "rows.parquet").equals(expected)
    assert json.loads((tmp_path / "rows.json").read_text(encoding="utf-8")) == expected.to_pylist()
    with (tmp_path / "rows.csv").open(encoding="utf-8", newline="") as file:
        assert list(csv.DictReader(file)) == expected.to_pylist()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["rows.csv", "rows.json", "rows.parquet"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--out", "rows.txt"], "cannot tell the format from its name"),
        (["--out", "no/rows.csv"], "a folder that does not exist"),
        (["--out", "rows.csv", "--format", "table"], "--out takes csv, json or parquet"),
        (["--format", "xml"], "--format takes table, csv, json or parquet, not 'xml'"),
    ],
)
def test_a_file_that_cannot_be_written_is_refused_before_the_query(store: Path, words: list[str], said: str) -> None:
    done = cli("query", "select nosuch", *words, "--store", store)
    assert done.returncode == 2 and said in done.stderr


def test_samples_have_the_absolute_paths_of_their_files(store: Path) -> None:
    rows = triptych.query("select audio, audio_file, video_file, image_file from samples", store=store).to_pylist()
    for row in rows:
        assert row["audio_file"] == f"{store}/{row['audio']['path']}" and Path(row["audio_file"]).is_file()
        assert row["video_file"] is None and row["image_file"] is None
    import duckdb

    triptych.store.refresh(store=store)
    with duckdb.connect(str(store / "store.duckdb"), read_only=True) as plain:
        found = plain.execute("select audio_file from samples").fetchall()
    assert sorted(path for (path,) in found) == sorted(row["audio_file"] for row in rows)


def test_a_table_on_a_terminal_is_cut_to_its_width(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("TERM", "dumb")
    output.table(["id", "text", *(f"c{n}" for n in range(9))], [["a" * 40, "字" * 60, *range(10_000, 10_009)]])
    shown = capsys.readouterr().out.splitlines()
    left_out = shown.pop()
    assert max(map(output.width, shown)) <= 60 and "…" in shown[-1] and "a" * 11 in shown[-1]
    assert " more columns: " in left_out
    assert all(f"c{n}" in shown[0] or f"c{n}" in left_out for n in range(9))
