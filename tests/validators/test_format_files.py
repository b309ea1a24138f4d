"""Files of consumers' formats: missing media, broken lines, arrays, Parquet, and what only a whole file shows."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from support.stores import cli
from support.training import PAIR, assistant, user
from triptych.errors import UsageError
from triptych.validators.formats import Finding, summarise_file, validate_file

A = "/data/a.wav"


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


@pytest.mark.parametrize(
    ("line", "mark"),
    [
        ('{"id": "é", "text": }', "}"),
        ('{"id": "NaN {", "x": NaN}', "NaN}"),
        ('{"x": [{"a": 1}, {"a": -Infinity}]}', "-Inf"),
        ('{"a": {"b": 1}, "b": "\\"a\\":", "a": {"b": 2}}', '"a": {"b": 2}'),
        ('{"b": 1, "x": [{"b": 1, "c": 2, "b": 3}]}', '"b": 3'),
    ],
)
def test_a_line_that_is_no_json_has_the_place_and_what_stands_around_it(tmp_path: Path, line: str, mark: str) -> None:
    path = lines(tmp_path / "x.jsonl", " " * 300 + line)
    (found,) = validate_file(path, "unified")
    assert (found.code, found.position) == ("invalid_json", 300 + line.index(mark) + 1), found
    assert f"line 1 column {found.position}" in found.message and mark in (found.value or "") and found.mend


def test_bytes_that_are_not_utf8(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    path.write_bytes(b'{"id": "\xff"}\n')
    (found,) = validate_file(path, "unified")
    assert found.code == "bad_encoding" and "line 1 column 9: byte 0xff" in found.message
    path.write_bytes('{"é": "'.encode() + b'\xff"}\n')
    assert [each.position for each in validate_file(path, "unified")] == [8]


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
    for row, task in (
        (prompt, "grpo"),
        ({"messages": PAIR, "audios": [A]}, "sft"),
        ({"messages": [user("q"), assistant("y")], "rejected_response": "y"}, "dpo"),
        ({"messages": [user("q"), assistant("y")], "label": False}, "kto"),
    ):
        summary = summarise_file(lines(tmp_path / "x.jsonl", row), "msswift", files=False)
        assert (summary.task, summary.task_detected) == (task, True)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda path: summarise_file(path / "no.jsonl", "msswift"), "no such file"),
        (
            lambda path: summarise_file(lines(path / "data.jsonl", {}).parent, "kaldi"),
            "a folder: .*such as .*data.jsonl",
        ),
        (
            lambda path: summarise_file(lines(path / "x.jsonl", {"messages": PAIR}), "llamafactory-sharegpt"),
            "have no `conversations`, which llamafactory-sharegpt reads. They have messages: columns of msswift",
        ),
        (lambda path: summarise_file(lines(path / "x.txt", {}), "msswift"), ".txt"),
        (lambda path: summarise_file(lines(path / "x.jsonl", {}), "nope"), "nope"),
        (lambda path: summarise_file(lines(path / "x.jsonl", {}), "msswift", task="nope"), "nope"),
    ],
)
def test_wrong_use(tmp_path: Path, call: Callable[[Path], Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        call(tmp_path)


def test_findings_that_are_not_listed_are_counted(tmp_path: Path) -> None:
    path = lines(tmp_path / "x.jsonl", *[{"messages": []}] * 25)
    done = cli("validate-file", "msswift", path)
    assert done.returncode == 1 and re.search(r"^\.\.\. 5 more \w+, of 25$", done.stdout, re.M)


def rows_in(findings: Iterator[Finding]) -> list[int]:
    return [finding.row for finding in findings]


def test_findings_stream(tmp_path: Path) -> None:
    path = lines(tmp_path / "x.jsonl", *[{"messages": []}] * 500)
    findings = validate_file(path, "msswift")
    assert next(findings).row == 1
    assert rows_in(findings) == list(range(2, 501))
