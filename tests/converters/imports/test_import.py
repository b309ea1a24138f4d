"""Importing your own tables: every format, and which column is what."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import triptych
from support.stores import check_media, cli, one, select
from support.tables import RECORDS, TWO, Tone, load, reasons, rows, write
from triptych.errors import UsageError

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
