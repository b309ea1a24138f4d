"""Importing your own tables: every format, every way in which a row can be wrong, and no row lost silently."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import triptych
from support.stores import check_accounts, check_media, cli, one, select
from triptych.converters.imports.import_data import ImportResult
from triptych.errors import UsageError

Tone = Callable[..., bytes]


@pytest.fixture
def clips(tmp_path: Path, tone: Tone) -> Path:
    """A folder with `wav/0.flac` to `wav/4.flac`, and room for tables beside it."""
    (tmp_path / "data" / "wav").mkdir(parents=True)
    for n in range(5):
        (tmp_path / "data" / "wav" / f"{n}.flac").write_bytes(tone(300 + n))
    return tmp_path / "data"


def write(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def load(format: str, path: Path, **options: Any) -> ImportResult:
    """Import as `mine` into a store beside the data."""
    return triptych.import_data(format, path, name="mine", store=path.parent / "store", **options)


def rows(folder: Path, columns: str = "id, text") -> list[dict[str, Any]]:
    return select(folder / "store", f"select {columns} from samples order by id")


def reasons(folder: Path) -> dict[str, str]:
    """Candidate -> reason of everything that was not kept."""
    check_accounts(folder / "store")
    events = select(folder / "store", "select candidate, reason from events")
    return {row["candidate"].rsplit("/", 1)[-1]: row["reason"] for row in events}


TWO = [{"id": "mine/all/a", "text": "one"}, {"id": "mine/all/b", "text": "two"}]
RECORDS = [{"id": "a", "audio": "wav/0.flac", "text": "one"}, {"id": "b", "audio": "wav/1.flac", "text": "two"}]


# ---- formats


@pytest.mark.parametrize(
    ("format", "name", "content"),
    [
        ("csv", "t.csv", "id,audio,text\na,wav/0.flac,one\nb,wav/1.flac,two\n"),
        ("csv", "bom.csv", "\ufeffid,audio,text\r\na,wav/0.flac,one\r\nb,wav/1.flac,two\r\n"),
        ("csv", "semicolon.csv", "id;audio;text\na;wav/0.flac;one\nb;wav/1.flac;two"),
        ("csv", "t.tsv", "id\taudio\ttext\na\twav/0.flac\tone\nb\twav/1.flac\ttwo\n"),
        ("csv", "tab.txt", "id\taudio\ttext\na\twav/0.flac\tone\nb\twav/1.flac\ttwo\n"),
        ("csv", "bar.csv", "id|audio|text\na|wav/0.flac|one\nb|wav/1.flac|two\n"),
        ("json", "array.json", json.dumps(RECORDS)),
        ("json", "bom.json", "\ufeff" + json.dumps(RECORDS)),
        ("json", "keyed.json", json.dumps({r["id"]: {k: r[k] for k in ("audio", "text")} for r in RECORDS})),
        ("json", "wrapped.json", json.dumps({"version": "1.0", "data": RECORDS})),
        ("jsonl", "t.jsonl", "\n".join(map(json.dumps, RECORDS)) + "\n\n"),
        ("jsonl", "bom.jsonl", "\ufeff" + "\n".join(map(json.dumps, RECORDS))),
    ],
)
def test_the_same_rows_from_every_text_format(clips: Path, format: str, name: str, content: str) -> None:
    assert load(format, write(clips, name, content)).account.kept == 2
    assert rows(clips) == TWO
    check_media(clips / "store")


def test_one_record_is_one_row(clips: Path) -> None:
    load("json", write(clips, "one.json", json.dumps(RECORDS[0] | {"meta": {"room": 7}})))
    assert rows(clips) == TWO[:1]
    record = {"id": "b", "audio": {"path": "wav/1.flac"}, "text": "two", "meta": {"a": 1}}
    load("json", write(clips, "struct.json", json.dumps(record)))
    assert rows(clips) == TWO


@pytest.mark.parametrize("column", ["paths", "structs", "binary"])
def test_parquet_holds_paths_or_the_bytes_themselves(clips: Path, tone: Tone, column: str) -> None:
    audio: dict[str, list[Any]] = {
        "paths": ["wav/0.flac", "wav/1.flac"],
        "structs": [{"bytes": tone(300), "path": "x.flac"}, {"bytes": tone(301), "path": None}],
        "binary": [tone(300), tone(301)],
    }
    table = pa.table({"id": ["a", "b"], "audio": audio[column], "text": ["one", "two"], "file": ["no", "such"]})
    pq.write_table(table, clips / "t.parquet")
    load("parquet", clips / "t.parquet")
    assert rows(clips) == TWO
    assert one(clips / "store", "select extra['file'] from samples where id = 'mine/all/a'") == "no"
    check_media(clips / "store")


@pytest.mark.shared
def test_parquet_as_the_hub_has_it(shared: Path, tmp_path: Path) -> None:
    path = shared / "mirror/huggingface.co/datasets/openslr/librispeech_asr/resolve/main/all/test.other/0000.parquet"
    store = tmp_path / "store"
    assert triptych.import_data("parquet", path, name="libri", store=store).account.kept == 70
    ids = pq.read_table(path, columns=["id", "text"]).to_pylist()
    expected = sorted((f"libri/all/{row['id']}", row["text"]) for row in ids)
    assert [tuple(row.values()) for row in select(store, "select id, text from samples order by id")] == expected


def test_a_folder_takes_texts_by_stem_and_names_what_it_passed_over(clips: Path, tone: Tone) -> None:
    folder = clips / "wav"
    write(folder, "0.txt", "\ufeff hello \n")
    write(folder, "1.wav", tone(901, format="WAV"))
    write(folder, "lonely.txt", "no media")
    write(folder, "notes.pdf", "x")
    write(folder, "2.txt", b"\xff\xfe")
    write(folder, "broken.flac", "not a flac")
    (folder / ".hidden.flac").write_bytes(tone())
    done = triptych.import_data("folder", folder, name="mine", store=clips / "store")
    assert {row["id"]: row["text"] for row in rows(clips)} == {
        "mine/all/.hidden": None, "mine/all/0": "hello", "mine/all/1.flac": None, "mine/all/1.wav": None,
        "mine/all/3": None, "mine/all/4": None,
    }  # fmt: skip
    assert reasons(clips) == {"2.flac": "not_utf8", "broken": "not_media"}
    assert sorted(done.notes) == ["1 .txt without a media file of the same stem", "not media: 1 .pdf"]


def test_a_lab_beside_a_sound_is_its_text_unless_its_lines_have_times(tmp_path: Path, tone: Tone) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    for stem, texts in {"a": {"lab": "hello\n"}, "b": {"lab": "0 2500000 sil\n2500000 5000000 h\n"},
                        "c": {"lab": "label", "txt": "text"}}.items():  # fmt: skip
        (folder / f"{stem}.flac").write_bytes(tone(100 + ord(stem)))
        for extension, text in texts.items():
            write(folder, f"{stem}.{extension}", text)
    write(folder, "d.lab", "no media")
    done = triptych.import_data("folder", folder, name="mine", store=tmp_path / "store")
    found = select(tmp_path / "store", "select id, text from samples")
    assert {row["id"][-1]: row["text"] for row in found} == {"a": "hello", "b": None, "c": "text"}
    assert sorted(done.notes) == [
        "1 .lab beside a .txt, left out", "1 .lab with times, no texts, left out",
        "1 .lab without a media file of the same stem",
    ]  # fmt: skip


def test_a_column_to_map_is_quoted_as_a_shell_needs_it(clips: Path) -> None:
    path = write(clips, "t.csv", "the sound,said\nwav/0.flac,one\n")
    with pytest.raises(UsageError) as caught:
        load("csv", path)
    assert "--map 'the sound=audio'" in str(caught.value.hint)


def test_a_folder_says_what_it_makes_of_tables_and_of_folders_named_like_splits(clips: Path, tone: Tone) -> None:
    folder = clips / "folder"
    for number, name in enumerate(("train", "test")):
        (folder / name).mkdir(parents=True)
        write(folder, f"{name}/a.flac", tone(910 + number))
    write(folder, "test/metadata.csv", "file_name,text\na.flac,hello\n")
    done = triptych.import_data("folder", folder, name="mine", store=clips / "store")
    assert done.notes == [
        "not media: 1 .csv",
        "test/metadata.csv: the rows of tables are not read; with their media: triptych import csv "
        f"{folder}/test/metadata.csv",
        "test/, train/: the rows have no split; import each folder by itself, with --set split=NAME",
    ]
    done = triptych.import_data("folder", folder / "test", name="held", values={"split": "test"}, store=clips / "store")
    assert len(done.notes) == 2


# ---- which column is what


def test_columns_are_found_by_their_common_names_and_the_rest_is_kept(clips: Path) -> None:
    path = write(clips, "t.csv", "utt_id,wav_path,sentence,spk,lang,label,age\na,wav/0.flac,one,s1,en,happy,30\n")
    load("csv", path)
    [row] = rows(clips, "id, text, speaker, language, labels, extra, panel, modality")
    assert row == {
        "id": "mine/all/a", "text": "one", "speaker": "s1", "language": "en", "labels": ["happy"],
        "extra": {"age": "30"}, "panel": "S1", "modality": "audio",
    }  # fmt: skip


def test_a_map_goes_before_the_common_names(clips: Path) -> None:
    path = write(clips, "t.csv", "key,text,clean,clip\na,raw one,one,wav/0.flac\n")
    load("csv", path, columns={"clean": "text", "clip": "audio"}, values={"task": "asr", "license": "CC0-1.0"})
    [row] = rows(clips, "text, task, license, extra['text'] raw")
    assert row == {"text": "one", "task": "asr", "license": "CC0-1.0", "raw": "raw one"}


def test_id_column_and_split_column_make_the_id(clips: Path) -> None:
    path = write(clips, "t.csv", "number,audio,partition\n7,wav/0.flac,Train\n8,wav/1.flac,test\n9,wav/2.flac,a b\n")
    load("csv", path, id_column="number")
    assert [row["id"] for row in rows(clips, "id")] == ["mine/test/8", "mine/train/7"]
    assert reasons(clips) == {"t.csv:4": "bad_value"}


def test_ids_are_made_from_paths_and_stay_unique(clips: Path) -> None:
    load("csv", write(clips, "t.csv", "audio,start,end\nwav/0.flac,0,0.05\nwav/0.flac,0.05,0.1\nwav/1.flac,,\n"))
    assert rows(clips, "id, start_s, end_s") == [
        {"id": "mine/all/wav/0@0-0.05", "start_s": 0.0, "end_s": 0.05},
        {"id": "mine/all/wav/0@0.05-0.1", "start_s": 0.05, "end_s": 0.1},
        {"id": "mine/all/wav/1", "start_s": None, "end_s": None},
    ]


def test_a_column_that_a_json_file_shows_late_is_understood_too(clips: Path) -> None:
    early = [{"id": f"e{n}", "audio": "wav/0.flac", "text": str(n)} for n in range(300)]
    late = {"id": "late", "audio": "wav/1.flac", "sentence": "not a second text", "speaker_id": "s9", "text": "end"}
    write(clips, "rows.jsonl", "".join(json.dumps(row) + "\n" for row in [*early, late]))
    load("jsonl", clips / "rows.jsonl")
    found = select(clips / "store", "select text, speaker, extra from samples where id = 'mine/all/late'")
    assert found == [{"text": "end", "speaker": "s9", "extra": {"sentence": "not a second text"}}]


def test_a_table_without_media_names_its_columns_and_the_map_to_try(clips: Path) -> None:
    path = write(clips, "t.csv", "id,clip_wav,said\na,wav/0.flac,one\n")
    done = cli("import", "csv", path, "--name", "mine", "--store", clips / "store")
    assert done.returncode == 2
    assert "Columns: id, clip_wav, said" in done.stderr
    assert "--map clip_wav=audio" in done.stderr
    assert load("csv", path, columns={"clip_wav": "audio"}).account.kept == 1


def test_rows_without_media_are_taken_when_said_so(clips: Path) -> None:
    load(
        "jsonl", write(clips, "t.jsonl", '{"id": "q", "question": "2+2?", "answer": "4"}'), values={"modality": "text"}
    )
    assert rows(clips, "id, question, answer, modality, audio") == [
        {"id": "mine/all/q", "question": "2+2?", "answer": "4", "modality": "text", "audio": None}
    ]


@pytest.mark.parametrize(
    ("options", "message", "hint"),
    [
        ({"columns": {"adio": "audio"}}, "no column 'adio'. Columns: id, audio, text", "--map audio="),
        ({"columns": {"text": "txet"}}, "'txet' is not a field", "text"),
        ({"columns": {"text": "id", "id": "id"}}, "two columns", ""),
        ({"values": {"langage": "en"}}, "'langage' is not a field", "language"),
        ({"values": {"panel": "S9"}}, "panels are S1, S2, S3", ""),
        ({"values": {"audio": "x.wav"}}, "differs from row to row", ""),
        ({"on_conflict": "overwrite"}, "takes reject or update, not 'overwrite'", ""),
        ({"media_dir": "/no/such"}, "there is no such folder", ""),
    ],
)
def test_a_wrong_option_is_named_with_a_suggestion(clips: Path, options: Any, message: str, hint: str) -> None:
    path = write(clips, "t.csv", "id,audio,text\na,wav/0.flac,one\n")
    with pytest.raises(UsageError) as caught:
        load("csv", path, **options)
    assert message in caught.value.message
    assert hint in (caught.value.hint or "")


# ---- values


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


@pytest.mark.parametrize("case", BAD_CELLS)
def test_one_bad_line_is_rejected_with_its_place_and_the_others_are_stored(clips: Path, case: str) -> None:
    line, reason = BAD_CELLS[case]
    good = [json.dumps(record) for record in RECORDS]
    done = load("jsonl", write(clips, "t.jsonl", "\n".join([good[0], line, good[1]])))
    assert rows(clips) == TWO
    assert dict(done.account.dropped) == {reason: 1}
    [event] = select(clips / "store", "select reason, detail from events")
    assert event["reason"] == reason
    assert "t.jsonl:2" in event["detail"] or "line 2" in event["detail"]
    check_accounts(clips / "store")


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
