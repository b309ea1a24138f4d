"""The values of your own tables: every way in which a row can be wrong, and no row lost silently."""

from __future__ import annotations

import json
import os
import re
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from support.stores import check_accounts, cli, select
from support.tables import RECORDS, TWO, Tone, beside_sounds, load, reasons, rows, write
from triptych.errors import UsageError


def test_empty_cells_are_null_and_never_nan(clips: Path) -> None:
    load("csv", write(clips, "t.csv", "id,audio,text,speaker,start,age\na,wav/0.flac,,,,\n"))
    load("jsonl", write(clips, "t.jsonl", '{"id":"b","audio":"wav/1.flac","text":"","start_s":NaN,"age":Infinity}'))
    table = {"id": ["c"], "audio": ["wav/2.flac"], "text": [""], "start_s": [float("nan")], "age": [float("nan")]}
    pq.write_table(pa.table(table), clips / "t.parquet")
    load("parquet", clips / "t.parquet")
    empty = {"text": None, "speaker": None, "start_s": None, "extra": None}
    assert rows(clips, "text, speaker, start_s, extra") == [empty] * 3
    assert reasons(clips) == {}


def test_lists_of_media_come_in_tag_order(clips: Path) -> None:
    record = {"id": "a", "audios": ["wav/0.flac", "wav/1.flac", "wav/2.flac"], "text": "compare"}
    load("jsonl", write(clips, "t.jsonl", json.dumps(record)))
    [row] = rows(clips, "audio, more_media")
    assert row["audio"]["frames"] == 800
    assert [item["kind"] for item in row["more_media"]] == ["audio", "audio"]
    files = [Path(clips / "store" / item["path"]).read_bytes() for item in [row["audio"], *row["more_media"]]]
    assert files == [(clips / "wav" / f"{n}.flac").read_bytes() for n in range(3)]


def test_structured_fields_are_read_from_json_cells(clips: Path) -> None:
    words = [{"text": "one", "start_s": 0.0, "end_s": 0.1}]
    messages = [{"role": "user", "content": "<audio>what?"}, {"role": "assistant", "content": "one"}]
    record = {"id": "a", "audio": "wav/0.flac", "words": words, "messages": messages, "captions": ["x", "y"]}
    load("jsonl", write(clips, "t.jsonl", json.dumps(record)))
    [row] = rows(clips, "words, messages, captions")
    assert row == {"words": words, "messages": messages, "captions": ["x", "y"]}


def test_several_columns_make_one_list(clips: Path) -> None:
    table = write(
        clips, "t.csv", "file_name,caption_1,caption_2,caption_3\nwav/0.flac,rain,,wind and rain\nwav/1.flac,a,b,c\n"
    )
    [told] = [line for line in load("csv", table).notes if "captions" in line]
    maps = {f"caption_{n}": "captions" for n in (1, 2, 3)}
    assert told.endswith("to make them captions: " + " ".join(f"--map {each}=captions" for each in maps))
    assert not load("csv", table, columns=maps, on_conflict="update").notes
    assert [row["captions"] for row in rows(clips, "captions")] == [["rain", "wind and rain"], ["a", "b", "c"]]


def test_quoted_newlines_and_long_cells_survive(clips: Path) -> None:
    long = "x" * 200_000
    load("csv", write(clips, "t.csv", f'id,audio,text\na,wav/0.flac,"one\ntwo, ""three"""\nb,wav/1.flac,{long}\n'))
    assert [row["text"] for row in rows(clips)] == ['one\ntwo, "three"', long]


BAD_CELLS: dict[str, tuple[str, str]] = {
    "missing": ('{"id":"x","audio":"wav/none.flac"}', "missing_media"),
    "a folder": ('{"id":"x","audio":"wav"}', "missing_media"),
    "a device": ('{"id":"x","audio":"/dev/zero"}', "missing_media"),
    "not media": ('{"id":"x","audio":"/etc/passwd"}', "not_media"),
    "climbs out": ('{"id":"x","audio":"../../../../../../../../etc/passwd"}', "outside"),
    "a URL": ('{"id":"x","audio":"https://example.org/a.wav"}', "remote_media"),
    "a file URL": ('{"id":"x","audio":"file:///etc/passwd"}', "remote_media"),
    "a command": ('{"id":"x","audio":"cat wav/0.flac |"}', "executable_entry"),
    "a null byte": ('{"id":"x","audio":"wav/0.flac\\u0000.txt"}', "bad_value"),
    "half a surrogate in a path": ('{"id":"x","audio":"wav/\\ud800.flac"}', "bad_value"),
    "nobody's home": ('{"id":"x","audio":"~no-such-user-here/a.wav"}', "bad_value"),
    "a long name": ('{"id":"x","audio":"%s.wav"}' % ("a" * 5000), "missing_media"),
    "a number": ('{"id":"x","audio":7}', "bad_value"),
    "half a surrogate": ('{"id":"x","audio":"wav/0.flac","text":"\\ud800"}', "bad_value"),
    "surrogate in an unknown column": ('{"id":"x","audio":"wav/0.flac","note":"\\ud800"}', "bad_value"),
    "text for seconds": ('{"id":"x","audio":"wav/0.flac","start_s":"soon"}', "bad_value"),
    "no end of time": ('{"id":"x","audio":"wav/0.flac","start_s":1e999}', "bad_value"),
    "before the start": ('{"id":"x","audio":"wav/0.flac","start_s":-1}', "bad_value"),
    "a span of nothing": ('{"id":"x","audio":"wav/0.flac","start_s":2,"end_s":2}', "bad_value"),
    "words without times": ('{"id":"x","audio":"wav/0.flac","words":[{"text":"a"}]}', "bad_value"),
    "words that are no text": (
        '{"id":"x","audio":"wav/0.flac","words":[{"text":1,"start_s":0,"end_s":1}]}', "bad_value"),
    "messages of numbers": ('{"id":"x","audio":"wav/0.flac","messages":[{"role":"user","content":5}]}', "bad_value"),
    "no object": ('["id", "x"]', "not_an_object"),
    "no JSON": ('{"id": "x", ', "bad_json"),
    "a huge number": ('{"id":"x","audio":"wav/0.flac","n":%s}' % ("9" * 5000), "bad_json"),
    "too deep": (f'{{"id":"x","a":{"[" * 100_000}{"]" * 100_000}}}', "bad_json"),
}  # fmt: skip


@pytest.fixture(scope="module")
def rejected(tmp_path_factory: pytest.TempPathFactory, tone: Tone) -> dict[int, list[dict[str, Any]]]:
    """The events of a table of `BAD_CELLS` between two good rows, by line; the case `n` is in line `n` + 2."""
    clips = beside_sounds(tmp_path_factory.mktemp("bad-cells"), tone)
    good = [json.dumps(record) for record in RECORDS]
    bad = [line.replace('"id":"x"', f'"id":"x{number}"') for number, (line, _) in enumerate(BAD_CELLS.values())]
    done = load("jsonl", write(clips, "t.jsonl", "\n".join([good[0], *bad, good[1]])))
    assert rows(clips) == TWO
    assert dict(done.account.dropped) == Counter(reason for _, reason in BAD_CELLS.values())
    check_accounts(clips / "store")
    found: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for event in select(clips / "store", "select reason, detail from events"):
        line = re.search(r"t\.jsonl:(\d+)|line (\d+)", event["detail"])
        assert line is not None, event
        found[int(line[1] or line[2])].append(event)
    return found


@pytest.mark.parametrize("case", BAD_CELLS)
def test_one_bad_line_is_rejected_with_its_place_and_the_others_are_stored(
    rejected: dict[int, list[dict[str, Any]]], case: str
) -> None:
    [event] = rejected[list(BAD_CELLS).index(case) + 2]
    assert event["reason"] == BAD_CELLS[case][1]


def test_csv_lines_that_are_no_rows_are_counted_by_reason(clips: Path) -> None:
    lines = [b"id,audio,text", b"a,wav/0.flac,one", b"b,wav/1.flac", b"c,wav/1.flac,x,y", b"d,wav/1.flac,caf\xe9", b"",
             b'e,wav/1.flac,"open"x', b"b,wav/1.flac,two"]  # fmt: skip
    load("csv", write(clips, "t.csv", b"\n".join(lines)))
    assert rows(clips) == TWO
    assert reasons(clips) == {"t.csv:3": "bad_row", "t.csv:4": "bad_row", "t.csv:5": "not_utf8", "t.csv:7": "bad_row"}


@pytest.mark.parametrize(
    ("format", "name", "content", "message"),
    [
        ("csv", "empty.csv", b"", "is empty"),
        ("csv", "twice.csv", b"id,audio,id\n", "duplicate column name"),
        ("csv", "utf16.csv", "id,audio\na,wav/0.flac".encode("utf-16"), "not UTF-8"),
        ("json", "cut.json", b'[{"id": 1}', "line 1"),
        ("json", "lines.json", b'{"id": 1}\n{"id": 2}\n', "Extra data"),
        ("json", "latin.json", '{"id": "caf\xe9"}'.encode("latin-1"), "utf-8"),
        ("json", "deep.json", b"[" * 100_000, "recursion"),
        ("parquet", "no.parquet", b"PAR1 no", "not a Parquet file"),
    ],
)
def test_a_file_that_is_no_table_exits_2_and_says_why(
    clips: Path, format: str, name: str, content: bytes, message: str
) -> None:
    done = cli("import", format, write(clips, name, content), "--name", "mine", "--store", clips / "store")
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("options", [{}, {"columns": {"wav/0.flac": "audio", "one": "text"}}])
def test_a_first_line_that_is_a_row_is_not_taken_for_names_and_lost(clips: Path, options: dict[str, Any]) -> None:
    table = write(clips, "bare.csv", b"wav/0.flac,one\nwav/1.flac,two\n")
    with pytest.raises(UsageError, match=r"line 1 names no columns, it is a row: wav/0\.flac is a file") as refused:
        load("csv", table, **options)
    assert "names of the columns in front of it" in (refused.value.hint or "")


def test_paths_from_another_folder_are_told_how_to_be_found(clips: Path) -> None:
    table = write(clips, "far.csv", b"audio,text\nelsewhere/0.flac,one\nelsewhere/1.flac,two\n")
    result = load("csv", table)
    assert result.account.dropped == {"missing_media": 2}
    assert any("--media-dir" in note for note in result.notes)


def test_a_pipe_is_no_table(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.csv")
    with pytest.raises(UsageError, match="is not a file"):
        load("csv", tmp_path / "pipe.csv")


def test_a_corrupt_parquet_page_is_reported_and_rows_before_it_are_stored(clips: Path, tone: Tone) -> None:
    table = pa.table({"id": [f"{n}" for n in range(6)], "audio": [tone(300 + n) for n in range(6)]})
    path = clips / "t.parquet"
    pq.write_table(table, path, row_group_size=3, compression="zstd")
    start = pq.ParquetFile(path).metadata.row_group(1).column(1).data_page_offset
    data = bytearray(path.read_bytes())
    data[start : start + 400] = b"\xff" * 400
    path.write_bytes(bytes(data))
    done = load("parquet", path)
    assert done.account.rejected == {"corrupt_parquet": 1}
    assert done.account.kept in (0, 3)
    check_accounts(clips / "store")


def test_an_empty_table_is_no_error_but_says_so(clips: Path) -> None:
    for format, name, content in [("csv", "h.csv", "id,audio\n"), ("json", "e.json", "[]"), ("jsonl", "e.jsonl", "")]:
        done = load(format, write(clips, name, content))
        assert done.account.candidates == 0
        assert "contains no rows" in done.notes[0]


def test_rows_whose_media_is_not_there_are_rejected_as_those_between_ones_that_are(clips: Path) -> None:
    """A row is accounted for in the same words, whether the file before it was there or not."""
    names = ["wav/0.flac", "wav/none.flac", "gone/a.flac", "gone/b.flac", "./gone//c.flac", "wav/1.flac", "wav/no.flac"]
    lines = "".join(f"{number},{name}\n" for number, name in enumerate(names))
    done = load("csv", write(clips, "t.csv", f"id,audio\n{lines}"))
    assert (done.account.kept, done.account.rejected) == (2, {"missing_media": 5})
    found = select(clips / "store", "select candidate, detail, uri from events order by candidate")
    told = [(row["candidate"], row["detail"], row["uri"]) for row in found]
    table = clips / "t.csv"
    assert told == [
        (
            f"mine/all/{number}",
            f"{table}:{number + 2}: {clips / names[number]}: No such file or directory",
            table.as_uri(),
        )
        for number in (1, 2, 3, 4, 6)
    ]
