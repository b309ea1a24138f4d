"""The formats of tables beside media, and every oddity met in real ones."""

from __future__ import annotations

import bz2
import gzip
import io
import json
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from support.raws import Stream, read, reasons, table_rows
from triptych.converters.candidate import Remote


def test_quotes_mean_nothing_where_quoting_is_off() -> None:
    table = 'path\tsentence\n0.wav\t"He said\n1.wav\ta "b" c\n'
    candidates, rejections = table_rows(table, {"quoting": "none"}, {"text": "sentence"}, "rows.tsv")
    assert [c.fields["text"] for c in candidates] == ['"He said', 'a "b" c']
    assert rejections == []


def test_an_escape_character_of_a_table_without_quotes() -> None:
    table = "path\tsentence\n0.wav\ta\\\tb\n"
    [candidate], _ = table_rows(table, {"quoting": "none", "escape": "\\"}, {"text": "sentence"}, "rows.tsv")
    assert candidate.fields["text"] == "a\tb"


def test_tables_of_another_encoding_and_delimiter() -> None:
    table = "path;sentence\n0.wav;Café à côté\n".encode("iso-8859-1")
    [candidate], _ = table_rows(table, {"encoding": "iso-8859-1", "delimiter": ";"}, {"text": "sentence"})
    assert candidate.fields["text"] == "Café à côté"


def test_a_table_without_a_header_line_keeps_its_first_row() -> None:
    options = {
        "tables": [{"file": "vggsound.csv", "header": ["youtube_id", "start", "label", "split"]}],
        "media": {"video": "{youtube_id}_{start:06d}.mp4"},
        "id": "{youtube_id}_{start:06d}",
        "columns": {"labels": "label"},
    }
    table = '---g-f_I2yQ,1,people marching,test\n--9O4XZOge4,30,"female speech, woman speaking",train\n'
    files = Stream({"vggsound.csv": table, "video/---g-f_I2yQ_000001.mp4": b"V", "video/--9O4XZOge4_000030.mp4": b"W"})
    candidates, rejections = read("annotated", files, options)
    assert rejections == []
    assert [(c.source_id, c.split, c.fields["labels"]) for c in candidates] == [
        ("---g-f_I2yQ_000001", "test", ["people marching"]),
        ("--9O4XZOge4_000030", "train", ["female speech, woman speaking"]),
    ]


AUDIOSET: dict[str, Any] = {
    "tables": [
        {
            "file": "{part}_segments.csv",
            "comment": "#",
            "skip_initial_space": True,
            "header": ["ytid", "start_seconds", "end_seconds", "positive_labels"],
        },
        {"file": "class_labels_indices.csv", "names": "classes", "key": "mid", "value": "display_name"},
    ],
    "media": {"audio": "Y{ytid}.*"},
    "id": "{ytid}_{start_seconds:06d}",
    "columns": {"labels": {"column": "positive_labels", "split": ",", "names": "classes"}},
    "split": {"column": "part", "map": {"balanced_train": "train"}},
    "remote": {
        "site": "youtube",
        "url": "https://www.youtube.com/watch?v={ytid}",
        "start": "start_seconds",
        "end": "end_seconds",
        "kind": "audio",
    },
}
SEGMENTS = """# Segments csv
# num_ytids=1
# YTID, start_seconds, end_seconds, positive_labels
-0RWZT-miFs, 420.000, 430.000, "/m/03v3yw,/m/0k4j"
"""
CLASSES = 'index,mid,display_name\n0,/m/03v3yw,"Keys jangling"\n1,/m/0k4j,"Car, automobile"\n'


def test_audioset_lists_have_three_comment_lines_spaces_and_class_ids() -> None:
    files = Stream(
        {"balanced_train_segments.csv": SEGMENTS, "wav/Y-0RWZT-miFs.wav": b"A", "class_labels_indices.csv": CLASSES}
    )
    [candidate], rejections = read("annotated", files, AUDIOSET)
    assert rejections == []
    assert (candidate.source_id, candidate.split) == ("-0RWZT-miFs_000420", "train")
    assert candidate.fields["labels"] == ["Keys jangling", "Car, automobile"]


def test_where_only_tables_lie_candidates_are_clips_to_be_fetched() -> None:
    files = Stream({"balanced_train_segments.csv": SEGMENTS, "class_labels_indices.csv": CLASSES})
    [candidate], rejections = read("annotated", files, AUDIOSET, remote=True)
    assert rejections == []
    [(kind, blob)] = candidate.media
    assert (kind, blob.remote) == (
        "audio",
        Remote("https://www.youtube.com/watch?v=-0RWZT-miFs", 420.0, 430.0, "youtube"),
    )
    assert "start_s" not in candidate.fields
    extra = candidate.fields["extra"]
    assert (extra["clip_start_s"], extra["clip_end_s"]) == ("420.0", "430.0")


def test_a_remote_link_is_one_column_and_groups_hold() -> None:
    table = "id,link,caption\n1,https://example.org/a%20b.wav,one\n2,https://example.org/c.wav,two\n1,https://example.org/a%20b.wav,three\n3,file:///etc/passwd,no\n"
    options = {
        "tables": [{"file": "t.csv"}],
        "remote": {"url": "{link}"},
        "id": "id",
        "group": ["id"],
        "columns": {"captions": "caption"},
    }
    candidates, rejections = read("annotated", Stream({"t.csv": table}), options, remote=True)
    assert [(c.source_id, c.fields["captions"], c.uri) for c in candidates] == [
        ("1", ["one", "three"], "https://example.org/a%20b.wav"),
        ("2", ["two"], "https://example.org/c.wav"),
    ]
    assert reasons(rejections) == [("3", "bad_value")]


@pytest.mark.parametrize(("suffix", "pack"), [(".gz", gzip.compress), (".bz2", bz2.compress)])
def test_packed_tables_are_unpacked(suffix: str, pack: Any) -> None:
    [candidate], _ = table_rows(pack(b"path,sentence\n0.wav,one\n"), {}, {"text": "sentence"}, f"rows.csv{suffix}")
    assert candidate.fields["text"] == "one"


def test_a_packed_table_that_breaks_off_says_so_and_keeps_what_came() -> None:
    table = "path,sentence\n0.wav,one\n" + "".join(f"{n}.x,{n * 7919 % 10007}\n" for n in range(20000))
    packed = gzip.compress(table.encode())
    candidates, rejections = table_rows(packed[: len(packed) // 2], {}, {"text": "sentence"}, "rows.csv.gz")
    assert [c.fields["text"] for c in candidates] == ["one"]
    assert [(r.reason, r.damaged) for r in rejections] == [("damaged_table", True)]


def test_bad_rows_never_stop_a_table() -> None:
    table = b"path,sentence,start\n0.wav,one\n1.wav,caf\xe9,1\n2.wav,two,soon\n3.wav,three,1\n"
    candidates, rejections = table_rows(table, {}, {"text": "sentence", "start_s": "start"})
    assert [c.fields["text"] for c in candidates] == ["three"]
    assert [r.reason for r in rejections] == ["bad_row", "not_utf8", "bad_value"]
    assert rejections[0].detail.startswith("raw:rows.csv:2: 2 cells")
    assert rejections[1].detail.startswith("raw:rows.csv:3: ") and "'sentence'" in rejections[1].detail
    assert "raw:rows.csv:4" in rejections[2].detail and "'soon'" in rejections[2].detail


def test_json_lists_and_json_lines_and_parquet_are_tables_too() -> None:
    rows = [{"path": "0.wav", "sentence": "one"}, {"path": "1.wav", "sentence": None}]
    document = json.dumps({"num": 1, "data": {"items": rows}})
    parquet = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows), parquet)
    lines = "\n".join(json.dumps(row) for row in rows) + "\nnot json\n"
    for name, data, entry, bad in (
        ("rows.json", document, {"records": "data.items"}, []),
        ("rows.jsonl", lines, {}, ["bad_row"]),
        ("rows.parquet", parquet.getvalue(), {}, []),
    ):
        candidates, rejections = table_rows(data, entry, {"text": "sentence"}, name)
        assert [c.fields.get("text") for c in candidates] == ["one", None], name
        assert [r.reason for r in rejections] == bad


def test_json_that_breaks_off_keeps_the_records_before() -> None:
    candidates, rejections = table_rows(
        '[{"path": "0.wav", "sentence": "one"}, {"pa', {}, {"text": "sentence"}, "rows.json"
    )
    assert [c.fields["text"] for c in candidates] == ["one"]
    assert [(r.reason, r.damaged) for r in rejections] == [("bad_json", True)]
