"""The one layer that reads tables: quoting, encodings, nulls, class labels and nested media, the same for every use."""

from __future__ import annotations

import bz2
import csv
import gzip
import io
import json
import lzma
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from support.raws import Stream, read
from triptych.converters.candidate import RawFile, Rejection, RowError
from triptych.converters.readers.tables.cells import Place, Row, Rows, as_number, typed
from triptych.converters.readers.tables.csv import CsvOptions, read_csv
from triptych.converters.readers.tables.user_table import read_table
from triptych.errors import UsageError

WORDS = ["null", "NA", "nan", "None", "N/A", "true", "007", "1e5", "-", "NULL", "#N/A"]


def rows(found: Rows) -> list[Any]:
    """Rows by their values; a rejection as its line and reason."""
    return [(item.candidate, item.reason) if isinstance(item, Rejection) else item.values for item in found]


def table(path: Path, content: str | bytes, format: str = "csv") -> list[Any]:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return rows(read_table(path, format))


def raw(path: Path) -> RawFile:
    return RawFile(path.name, path.as_uri(), "", path.stat().st_size, lambda: path.open("rb"), path=path)


@pytest.mark.parametrize(
    "texts",
    [
        ['"Begins here', "is whole", 'ends there"'],
        ['"never closed', "two", "three"],
        ['he said "no"', '"', '""'],
        ['"The whole sentence."', "two", 'and "some" words'],
        ['"a" b', 'c "d', '"e"f"'],
    ],
)
def test_a_tsv_without_quoting_is_read_letter_for_letter(tmp_path: Path, texts: list[str]) -> None:
    lines = [f"s{number}\tc{number}.wav\t{text}\t2" for number, text in enumerate(texts)]
    found = table(tmp_path / "t.tsv", "\n".join(["client_id\tpath\tsentence\tup_votes", *lines]) + "\n")
    assert [row["sentence"] for row in found] == texts
    assert [row["path"] for row in found] == [f"c{number}.wav" for number in range(len(texts))]


@pytest.mark.parametrize("quoting", [csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC])
def test_a_tsv_that_a_program_quoted_is_read_as_it_was_meant(tmp_path: Path, quoting: int) -> None:
    out = io.StringIO()
    texts = ['he said "no"', "a\ttab", "two\nlines", "plain", '"']
    csv.writer(out, delimiter="\t", quoting=quoting, lineterminator="\n").writerows(
        [["path", "sentence"], *([f"{number}.wav", text] for number, text in enumerate(texts))]
    )
    assert [row["sentence"] for row in table(tmp_path / "t.tsv", out.getvalue())] == texts


def test_lines_that_a_lone_quote_of_a_csv_runs_over_are_rejected_each_with_its_number(tmp_path: Path) -> None:
    found = table(tmp_path / "t.csv", 'path,n,text\na,1,one\nb,2,"two\nc,3,three\nd,4,four"\ne,5,five\n')
    one, *swallowed, five = found
    assert (one["text"], five["text"]) == ("one", "five")
    assert swallowed == [("t.csv:3", "bad_row"), ("t.csv:4", "bad_row"), ("t.csv:5", "bad_row")]


def test_a_quote_that_is_never_closed_costs_its_own_line_only(tmp_path: Path) -> None:
    found = table(tmp_path / "t.csv", 'path,n,text\na,1,"one\nb,2,two\nc,3,three\n')
    assert found[0] == ("t.csv:2", "bad_row")
    assert [row["text"] for row in found[1:]] == ["two", "three"]


def test_a_quoted_cell_of_many_lines_is_one_text(tmp_path: Path) -> None:
    text = 'one, "two",\n\nthree'
    quoted = text.replace('"', '""')
    assert table(tmp_path / "t.csv", f'path,n,text\na,1,"{quoted}"\n')[0]["text"] == text


def test_a_tsv_in_an_archive_keeps_its_rows_too() -> None:
    content = 'path\tsentence\nc0.wav\tone\nc1.wav\t"two\nc2.wav\tthree\nc3.wav\tfour"\n'
    options = {
        "tables": [{"file": "t.tsv"}], "media": {"audio": "{path}"}, "id": "path", "columns": {"text": "sentence"}
    }  # fmt: skip
    files = Stream({"t.tsv": content, **{f"c{number}.wav": b"x" for number in range(4)}})
    found, rejections = read("annotated", files, options)
    assert [c.fields["text"] for c in found] == ["one", '"two', "three", 'four"']
    assert rejections == []


def test_words_that_look_like_null_or_numbers_stay_words(tmp_path: Path) -> None:
    lines = [{"text": word, "speaker": word} for word in WORDS]
    as_csv = "text,speaker\n" + "".join(f"{word},{word}\n" for word in WORDS)
    pq.write_table(pa.Table.from_pylist(lines), tmp_path / "t.parquet")
    assert table(tmp_path / "t.csv", as_csv) == lines
    assert table(tmp_path / "t.jsonl", "\n".join(map(json.dumps, lines)), "jsonl") == lines
    assert table(tmp_path / "t.json", json.dumps(lines), "json") == lines
    assert rows(read_table(tmp_path / "t.parquet", "parquet")) == lines


@pytest.mark.parametrize("pack", [bytes, gzip.compress, bz2.compress, lzma.compress])
@pytest.mark.parametrize(
    ("format", "content"),
    [
        ("csv", "id,text\r\na,un\r\nb,d\u00e9\r\n"),
        ("csv", "id\ttext\na\tun\nb\td\u00e9\n"),
        ("jsonl", '{"id": "a", "text": "un"}\r\n{"id": "b", "text": "d\u00e9"}'),
        ("json", '[{"id": "a", "text": "un"}, {"id": "b", "text": "d\u00e9"}]'),
    ],
)
def test_a_byte_order_mark_and_packing_change_nothing(tmp_path: Path, format: str, content: str, pack: Any) -> None:
    data = pack(b"\xef\xbb\xbf" + content.encode())
    assert table(tmp_path / "t.x", data, format) == [{"id": "a", "text": "un"}, {"id": "b", "text": "d\u00e9"}]


def test_lines_of_columns_part_at_blanks_of_ascii_only() -> None:
    content = "\ufeffutt\u00a01 deux\u00a0mots \r\nutt2\t\u3053\u3000\u4e16\n".encode()
    options = {"tables": [{"file": "text", "format": "lines"}], "media": {"audio": "{id}.*"}, "id": "id",
               "columns": {"text": "text"}}  # fmt: skip
    found, _ = read("annotated", Stream({"text": content, "utt\u00a01.wav": b"x", "utt2.wav": b"y"}), options)
    assert [(c.source_id, c.fields["text"]) for c in found] == [
        ("utt\u00a01", "deux\u00a0mots"), ("utt2", "\u3053\u3000\u4e16")
    ]  # fmt: skip


LABEL = {"_type": "ClassLabel", "names": ["angry", "happy"]}


def labelled(path: Path, values: list[Any], feature: Any = LABEL, type_: pa.DataType | None = None) -> Path:
    features = {"label": feature, "audio": {"_type": "Audio"}}
    metadata = {b"huggingface": json.dumps({"info": {"features": features}}).encode()}
    names = [f"{number}.wav" for number in range(len(values))]
    pq.write_table(pa.table({"label": pa.array(values, type_), "audio": names}).replace_schema_metadata(metadata), path)
    return path


def test_class_labels_are_names_for_every_reader_of_parquet(tmp_path: Path) -> None:
    path = labelled(tmp_path / "t.parquet", [1, 0, -1, -7, 2, None])
    expected = ["happy", "angry", None, None, ("bad_value",), None]
    found = [(r[1],) if isinstance(r, tuple) else r["label"] for r in rows(read_table(path, "parquet"))]
    assert found == expected
    candidates, rejections = read("table", [raw(path)], format="parquet")
    assert [c.fields["labels"] for c in candidates] == [["happy"], ["angry"], None, None, None]
    assert [r.reason for r in rejections] == ["bad_value"] and "column 'label'" in rejections[0].detail
    options = {"id": "row", "labels": "label"}
    candidates, rejections = read("columns", [raw(path)], options)
    assert [c.fields.get("labels") for c in candidates] == [["happy"], ["angry"], None, None, None]
    assert [r.reason for r in rejections] == ["bad_value"]


def test_class_labels_inside_lists_and_objects_are_names_too(tmp_path: Path) -> None:
    path = labelled(tmp_path / "a.parquet", [[0, 1], []], {"_type": "List", "feature": LABEL})
    assert [r["label"] for r in rows(read_table(path, "parquet"))] == [["angry", "happy"], []]
    path = labelled(tmp_path / "b.parquet", [{"emotion": 1, "n": 1}], {"emotion": LABEL, "n": {"dtype": "int64"}})
    assert [r["label"] for r in rows(read_table(path, "parquet"))] == [{"emotion": "happy", "n": 1}]


def microphones(path: Path, **columns: Any) -> Path:
    pq.write_table(pa.Table.from_pylist([{"id": "a", "text": "un", **columns}]), path)
    return path


def test_media_that_no_field_takes_is_told_of_and_never_text(tmp_path: Path) -> None:
    sound = {"bytes": b"RIFF", "path": "a.wav"}
    path = microphones(tmp_path / "t.parquet", head=sound, throat=sound, deep={"inner": {"sound": sound}})
    notes: list[str] = []
    [one], _ = read("table", [raw(path)], format="parquet", columns={"throat": "audio"}, note=notes.append)
    assert [blob.data for _, blob in one.media] == [b"RIFF"] and "extra" not in one.fields
    assert [note.split(" contains")[0] for note in notes] == ["column 'head'", "column 'deep'"]
    [two], _ = read("table", [raw(path)], format="parquet", columns={"throat": "audio", "head": "audio"})
    assert [kind for kind, _ in two.media] == ["audio", "audio"]


def test_a_table_whose_media_no_column_names_says_where_the_bytes_are(tmp_path: Path) -> None:
    sound = {"bytes": b"RIFF", "path": "a.wav"}
    path = microphones(tmp_path / "t.parquet", head=sound, throat=sound)
    with pytest.raises(UsageError, match="what looks like media is in head, throat") as caught:
        read("table", [raw(path)], format="parquet")
    assert "--map head=audio --map throat=audio" in str(caught.value.hint)
    path = microphones(tmp_path / "n.parquet", context={"audio": sound})
    with pytest.raises(UsageError, match=r"what looks like media is in context\.audio") as caught:
        read("table", [raw(path)], format="parquet")
    assert "--map context.audio=audio" in str(caught.value.hint)
    [one], [] = read("table", [raw(path)], format="parquet", columns={"context.audio": "audio"})
    assert [blob.data for _, blob in one.media] == [b"RIFF"]
    _, [rejection] = read("table", [raw(path)], format="parquet", columns={"context": "audio"})
    assert rejection.reason == "bad_value" and "--map context.audio=" in rejection.detail


def test_a_rejection_names_file_line_and_column(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(b"audio,text,start\na.wav,caf\xe9,1\nb.wav,two,soon\n")
    _, [encoding, number] = read("table", [raw(path)], format="csv")
    assert encoding.detail.startswith(f"{path}:2: column 'text'") and encoding.reason == "not_utf8"
    assert number.detail.startswith(f"{path}:3: column 'start': expected a number, got 'soon'")


def test_a_stream_is_read_once_and_left_open() -> None:
    stream = io.BytesIO(b"a;b\n1;2\n")
    [row] = read_csv(stream, Place("t", "t"), CsvOptions())
    assert isinstance(row, Row) and row.values == {"a": "1", "b": "2"} and not stream.closed


@pytest.mark.parametrize(
    ("name", "table", "texts", "bad"),
    [
        # A mark that another row closes, while other texts have commas of their own: no text holds other rows.
        ("t.csv", 'path,text\na1.wav,"two\na2.wav,three, and more\na3.wav,four"\na4.wav,five\n', ["five"], [2, 3, 4]),
        ("t.csv", 'path,text\na1.wav,"two\n\nlines, really"\na4.wav,five\n', ["two\n\nlines, really", "five"], []),
        ("t.csv", 'path,text\na1.wav,"open at the end\na2.wav,two\n', ["two"], [2]),
        # Every line of this TSV is a row; of the next, a cell has line breaks and tabs that no row explains.
        ("t.tsv", 'path\ttext\na1.wav\t"two\na2.wav\tthree\na3.wav\tfour"\n', ['"two', "three", 'four"'], []),
        ("t.tsv", 'path\ttext\tby\na1.wav\t"two\nx\ty\tz\tw"\tme\na2.wav\tthree\tme\n', ["three"], [2]),
        ("t.tsv", 'path\ttext\tby\na1.wav\t"two\nlines"\tme\na2.wav\t"""so"""\tme\n', ["two\nlines", '"so"'], []),
    ],
)  # fmt: skip
def test_no_cell_swallows_other_rows(tmp_path: Path, name: str, table: str, texts: list[str], bad: list[int]) -> None:
    path = tmp_path / name
    path.write_text(table)
    found, rejections = read("table", [raw(path)], format="csv")
    assert [each.fields["text"] for each in found] == texts
    assert [int(each.candidate.rpartition(":")[2]) for each in rejections] == bad
    assert {each.reason for each in rejections} <= {"bad_row"}


def test_a_record_in_which_a_key_has_two_values_is_rejected(tmp_path: Path) -> None:
    """Python keeps the last value; the first, which may be the text, would be gone without a word."""
    lines = ['{"audio": "a.wav", "text": "one", "text": "two"}', '{"audio": "b.wav", "text": "b", "text": "b"}']
    found = table(tmp_path / "t.jsonl", "\n".join([*lines, '{"audio": "c.wav", "m": {"k": 1, "k": 2}}']), "jsonl")
    assert found == [("t.jsonl:1", "bad_json"), {"audio": "b.wav", "text": "b"}, ("t.jsonl:3", "bad_json")]
    with pytest.raises(UsageError, match="the key 'a' stands twice"):
        table(tmp_path / "t.json", '{"a": {"text": "one"}, "a": {"text": "two"}}', "json")
    with pytest.raises(RowError, match="each key once"):
        typed("messages", "messages", '[{"role": "user", "content": "a", "content": "b"}]')


@pytest.mark.parametrize("value", [True, "1_0", False])
def test_what_python_alone_reads_as_a_number_is_none(value: Any) -> None:
    with pytest.raises(RowError, match="a number"):
        as_number("start", value)


def test_columns_without_a_name_are_told_apart(tmp_path: Path) -> None:
    assert table(tmp_path / "t.csv", "audio,,\na.wav,x,y\n") == [{"audio": "a.wav", "column 2": "x", "column 3": "y"}]
    assert table(tmp_path / "t.csv", ",audio\n0,a.wav\n") == [{"": "0", "audio": "a.wav"}]


def test_a_map_with_two_values_of_a_key_keeps_both(tmp_path: Path) -> None:
    maps = pa.array([[("k", 1)], [("k", 1), ("k", 2)]], pa.map_(pa.string(), pa.int64()))
    pq.write_table(pa.table({"text": ["a", "b"], "m": maps}), tmp_path / "t.parquet")
    found = rows(read_table(tmp_path / "t.parquet", "parquet"))
    assert found == [{"text": "a", "m": {"k": 1}}, {"text": "b", "m": [("k", 1), ("k", 2)]}]


def test_an_object_is_no_list_of_texts() -> None:
    """Its JSON would be a choice, a caption or a label."""
    with pytest.raises(RowError, match="a list of texts"):
        typed("choices", "choices", {"A": "dog", "B": "cat"})
