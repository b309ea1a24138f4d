"""Importing again, beside others and at size: conflicts, updates, links, odd files, a hundred thousand rows."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import triptych
import yaml
from support.stores import check_accounts, check_media, cli, leftovers, one, select
from triptych.shards.store.store import Store

Tone = Callable[..., bytes]


@pytest.fixture
def table(tmp_path: Path, tone: Tone) -> Path:
    """A CSV of three clips."""
    for n in range(3):
        (tmp_path / f"{n}.flac").write_bytes(tone(300 + n))
    path = tmp_path / "t.csv"
    path.write_text("id,audio,text\n" + "".join(f"{n},{n}.flac,text {n}\n" for n in range(3)))
    return path


def test_the_same_file_again_changes_nothing(table: Path, store: Store) -> None:
    triptych.import_data("csv", table, name="mine", store=store.root)
    before = select(store, "select * from samples order by id")
    again = triptych.import_data("csv", table, name="mine", store=store.root)
    assert (again.account.kept, dict(again.account.dropped)) == (0, {"duplicate": 3})
    assert select(store, "select * from samples order by id") == before
    assert one(store, "select count(*) from events") == 0


def test_an_edited_row_is_a_conflict_and_told_how_to_take_it(table: Path, store: Store) -> None:
    arguments = ["import", "csv", table, "--name", "mine", "--store", store.root]
    assert cli(*arguments).returncode == 0
    table.write_text(table.read_text().replace("text 1", "corrected"))
    for _ in range(2):
        done = cli(*arguments)
        assert done.returncode == 1
        assert "1 id_conflict" in done.stdout
        assert "--on-conflict update" in done.stdout
    assert one(store, "select text from samples where id = 'mine/all/1'") == "text 1"
    assert select(store, "select candidate, reason from events") == [
        {"candidate": "mine/all/1", "reason": "id_conflict"}
    ]
    check_accounts(store)


@pytest.mark.parametrize("column", ["text", "speaker", "extra"])
def test_update_takes_edited_rows_of_any_column_and_only_those(table: Path, store: Store, column: str) -> None:
    values = {"text": ("text 1", "better"), "speaker": ("s1", "s2"), "extra": ("loud", "soft")}[column]
    lines = [f"id,audio,text,{'speaker' if column == 'speaker' else 'note'}"]
    other = values[0] if column != "text" else "x"
    lines += [f"{n},{n}.flac,text {n},{other}" for n in range(3)]
    table.write_text("\n".join(lines))
    triptych.import_data("csv", table, name="mine", store=store.root)
    untouched = select(store, "select * from samples where id <> 'mine/all/1' order by id")
    lines[2] = lines[2].replace(*values)
    table.write_text("\n".join([*lines, "3,0.flac,new,x"]))
    done = triptych.import_data("csv", table, name="mine", store=store.root, on_conflict="update")
    assert (done.updated, done.account.kept, dict(done.account.dropped)) == (1, 2, {"duplicate": 2})
    wanted = {"text": "text", "speaker": "speaker", "extra": "extra['note']"}[column]
    assert one(store, f"select {wanted} from samples where id = 'mine/all/1'") == values[1]
    assert select(store, "select * from samples where id not in ('mine/all/1', 'mine/all/3') order by id") == untouched
    check_accounts(store)


def test_an_updated_text_is_measured_again(table: Path, store: Store) -> None:
    triptych.import_data("csv", table, name="mine", store=store.root)
    triptych.validate(store=store.root)
    table.write_text(table.read_text().replace("text 1", "corrected"))
    triptych.import_data("csv", table, name="mine", store=store.root, on_conflict="update")
    [result] = triptych.validate(store=store.root)
    assert (result.samples, result.measured) == (3, 1)


def test_one_id_twice_in_one_file_keeps_the_first_whatever_the_batch(
    table: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    table.write_text(table.read_text() + "1,1.flac,again\n")
    for size in (10_000, 1):
        monkeypatch.setattr("triptych.converters.ingest.ingest.BATCH_ROWS", size)
        done = triptych.import_data("csv", table, name=f"n{size}", store=store.root, on_conflict="update")
        assert (done.account.kept, dict(done.account.dropped)) == (3, {"id_conflict": 1})
        assert one(store, f"select text from samples where id = 'n{size}/all/1'") == "text 1"
    check_accounts(store)


@pytest.mark.parametrize("size", [10_000, 1])
def test_one_id_twice_in_one_file_is_said_to_occur_twice(
    table: Path, store: Store, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    monkeypatch.setattr("triptych.converters.ingest.ingest.BATCH_ROWS", size)
    table.write_text(table.read_text() + "1,1.flac,again\n")
    done = triptych.import_data("csv", table, name="mine", store=store.root)
    assert (done.repeated, dict(done.account.dropped)) == (1, {"id_conflict": 1})
    detail = one(store, "select detail from events")
    assert "t.csv:5: this id occurs twice in the input" in detail
    command = cli("import", "csv", table, "--name", "mine", "--store", store.root)
    assert command.returncode == 1
    assert "occurs twice" in command.stdout and "--on-conflict" not in command.stdout


def test_an_import_or_a_file_without_rows_exits_1(tmp_path: Path) -> None:
    (tmp_path / "h.csv").write_text("id,audio\n")
    (tmp_path / "e.jsonl").write_text("")
    (tmp_path / "none").mkdir()
    for format, path in (("csv", "h.csv"), ("jsonl", "e.jsonl"), ("lhotse", "none")):
        done = cli("import", format, tmp_path / path, "--name", "mine", "--store", tmp_path / "store")
        assert done.returncode == 1 and "nothing was imported" in done.stdout
    done = cli("validate-file", "unified", tmp_path / "e.jsonl")
    assert done.returncode == 1 and "has no rows" in done.stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["import", "csv", "t.csv", "--name", "mine", "--id-column", "nope"], "--id-column: "),
        (["import", "csv", "t.csv", "--name", "mine", "--map", "nope=text"], "--map: "),
        (["convert", "csv", "t.csv", "o.jsonl", "--audio-col", "adio"], "--audio-col: "),
        (["convert", "csv", "t.csv", "o.jsonl", "--id-column", "nope"], "--id-column: "),
        (["convert", "qa", "t.jsonl", "o.jsonl", "--question-col", "nope"], "--question-col: "),
    ],
)
def test_a_column_that_is_not_there_is_answered_by_the_option_that_named_it(
    table: Path, store: Store, words: list[str], said: str
) -> None:
    place = ["--store", store.root] if words[0] == "import" else []
    paths = [table.parent / word if word in ("t.csv", "t.jsonl", "o.jsonl") else word for word in words]
    if "qa" in words:
        table = table.rename(table.with_suffix(".jsonl"))
        table.write_text('{"id": "a", "question": "x", "answer": "y"}\n')
    done = cli(*paths, *place)
    assert done.returncode == 2
    assert f"{said}{table} has no column" in done.stderr
    if "adio" in words:
        assert "did you mean --audio-col audio?" in done.stderr


def test_linked_media_is_named_where_it_lies_and_nothing_is_copied(table: Path, store: Store) -> None:
    triptych.import_data("csv", table, name="mine", store=store.root, link=True)
    paths = [row["p"] for row in select(store, "select audio.path p from samples order by id")]
    assert paths == [str(table.parent / f"{n}.flac") for n in range(3)]
    assert list(store.media.files()) == []
    check_media(store)


def test_relative_paths_start_at_the_media_folder(table: Path, store: Store, tmp_path: Path) -> None:
    away = tmp_path / "away"
    away.mkdir()
    moved = table.rename(away / "t.csv")
    triptych.import_data("csv", moved, name="mine", store=store.root, media_dir=tmp_path)
    assert one(store, "select count(*) from samples") == 3


def test_the_users_folder_is_left_as_it_was(table: Path, store: Store) -> None:
    before = {path: path.stat().st_mtime_ns for path in table.parent.iterdir() if path != store.root}
    triptych.import_data("csv", table, name="mine", store=store.root)
    assert {path: path.stat().st_mtime_ns for path in table.parent.iterdir() if path != store.root} == before
    assert leftovers(store.root) == []


@pytest.mark.shared
def test_odd_files_are_clear_rejections_beside_good_rows(
    shared: Path, store: Store, tone: Tone, tmp_path: Path
) -> None:
    odd = shared / "media" / "odd_files"
    facts = {
        entry["path"].removeprefix("odd_files/"): entry
        for entry in yaml.load((shared / "media/MANIFEST.yaml").read_text(), Loader=yaml.CSafeLoader)["files"]
        if entry["path"].startswith("odd_files/")
    }
    unreadable = {name for name, entry in facts.items() if "open_error" in entry} | {"pocketsphinx/null.wav"}
    fine = {name for name, entry in facts.items() if entry.get("decoded_s", 0) > 0.1} - unreadable
    good = tmp_path / "good.flac"
    good.write_bytes(tone())
    lines = [json.dumps({"id": name, "audio": str(odd / name)}) for name in facts]
    table = tmp_path / "odd.jsonl"
    table.write_text("\n".join([*lines, json.dumps({"id": "good", "audio": str(good)})]))
    done = triptych.import_data("jsonl", table, name="odd", store=store.root)
    stored = {row["id"].removeprefix("odd/all/") for row in select(store, "select id from samples")}
    assert "good" in stored
    assert fine <= stored
    rejected = {row["c"].removeprefix("odd/all/"): row for row in
                select(store, "select candidate c, reason, detail from events")}  # fmt: skip
    assert unreadable <= rejected.keys()
    assert set(rejected) | stored == {*facts, "good"}
    assert {row["reason"] for row in rejected.values()} <= {"not_media", "empty_media", "no_audio_stream"}
    assert all("odd.jsonl:" in row["detail"] for row in rejected.values())
    assert done.account.candidates == len(facts) + 1
    check_accounts(store)


@pytest.mark.thorough
def test_a_hundred_thousand_rows_stay_flat_in_memory(store: Store, tmp_path: Path) -> None:
    rows = 100_000
    with (tmp_path / "big.csv").open("w") as file:
        file.write("id,question,answer\n")
        for n in range(rows):
            file.write(f"{n},what is {n}?,{n} of course and some more words to fill the line\n")
    code = f"""
import resource, sys
from triptych.cli import main
sys.argv = ["triptych", "import", "csv", {str(tmp_path / "big.csv")!r}, "--name", "big", "--set", "modality=text",
            "--store", {str(store.root)!r}]
try:
    main()
except SystemExit as error:
    assert not error.code, error.code
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "100,000 stored of 100,000 rows" in done.stdout
    assert int(done.stdout.split()[-1]) < 900_000  # kB
    assert one(store, "select count(distinct id) from samples") == rows
    check_accounts(store)
