"""An edited file, imported again: no row gets the id of another, and rows that are gone are named or taken out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import triptych
from support import imported
from support.stores import check_accounts, cli, one, select
from triptych.shards.store.store import Store

QUESTIONS = [{"question": f"Q {n}", "answer": f"A {n}"} for n in ("one", "two", "three")]


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    return imported.table(path, rows)


def load(path: Path, store: Store, **options: Any) -> Any:
    values = {"task": "qa", "modality": "text"}
    return triptych.import_data("jsonl", path, name="q", store=store.root, values=values, **options)


def questions(store: Store) -> dict[str, str]:
    return {row["question"]: row["id"] for row in select(store, "select id, question from samples order by id")}


def test_a_deleted_line_shifts_no_id_and_is_named(tmp_path: Path, store: Store) -> None:
    path = write(tmp_path / "q.jsonl", QUESTIONS)
    load(path, store)
    before = questions(store)
    write(path, QUESTIONS[1:])
    plain = load(path, store)
    assert (plain.account.kept, plain.gone, plain.notes) == (0, 0, [])
    done = load(path, store, on_conflict="update")
    assert (done.account.kept, dict(done.account.dropped), done.gone) == (0, {"duplicate": 2}, 1)
    assert "1 stored rows are no longer in" in done.notes[0] and before["Q one"] in done.notes[0]
    assert questions(store) == before
    synced = load(path, store, sync=True)
    assert (synced.gone, synced.taken_out) == (1, 1) and before["Q one"] in synced.notes[0]
    assert questions(store) == {name: before[name] for name in ("Q two", "Q three")}
    assert select(store, "select candidate, reason from events") == [
        {"candidate": before["Q one"], "reason": "not_in_input"}
    ]
    write(path, QUESTIONS)
    load(path, store)
    assert questions(store) == before
    write(path, QUESTIONS[1:])
    load(path, store, sync=True)
    check_accounts(store)


def test_rows_that_share_their_media_keep_their_ids_when_the_first_is_deleted(tmp_path: Path, store: Store) -> None:
    clip = str(imported.sound(tmp_path / "a.flac", imported.noise(0.1)))
    rows = [{"audio": clip, "question": f"Q {n}", "answer": "A"} for n in range(3)]
    path = write(tmp_path / "t.jsonl", rows)
    triptych.import_data("jsonl", path, name="q", store=store.root)
    before = questions(store)
    triptych.annotate(before["Q 0"], "review", "the first", store=store.root)
    write(path, [rows[2], rows[1]])
    triptych.import_data("jsonl", path, name="q", store=store.root, sync=True)
    assert questions(store) == {name: before[name] for name in ("Q 1", "Q 2")}
    assert one(store, "select count(*) from annotations") == 0


def test_rows_of_other_files_are_not_gone(tmp_path: Path, store: Store) -> None:
    for name, number in (("a", 0), ("a.b", 1)):
        load(write(tmp_path / f"{name}.jsonl", [QUESTIONS[number]]), store)
    done = load(write(tmp_path / "a.jsonl", [QUESTIONS[2]]), store, sync=True)
    assert done.taken_out == 1 and set(questions(store)) == {"Q two", "Q three"}


def test_a_file_that_left_its_folder_is_gone(tmp_path: Path, store: Store) -> None:
    folder = tmp_path / "clips"
    imported.speech_rows(folder, 2)
    triptych.import_data("folder", folder, name="f", store=store.root)
    (folder / "1.flac").unlink()
    done = triptych.import_data("folder", folder, name="f", store=store.root, on_conflict="update")
    assert done.gone == 1 and "f/all/1" in done.notes[-1]


def test_nothing_is_taken_out_while_rows_cannot_be_read(tmp_path: Path, store: Store) -> None:
    path = write(tmp_path / "q.jsonl", QUESTIONS)
    load(path, store)
    path.write_text(json.dumps(QUESTIONS[0]) + "\n{broken\n")
    done = load(path, store, sync=True)
    assert (done.gone, done.taken_out) == (2, 0)
    assert "--sync took nothing out: 1 rows of the input could not be read" in done.notes[-2] + done.notes[-1]
    path.write_text("")
    assert load(path, store, sync=True).taken_out == 0
    assert len(questions(store)) == 3


def test_a_row_whose_media_is_missing_now_is_not_gone(tmp_path: Path, store: Store) -> None:
    rows = imported.speech_rows(tmp_path / "in", 2)
    imported.bring_in(store.root, "s", rows, tmp_path)
    Path(rows[0]["audio"]).unlink()
    done = triptych.import_data("jsonl", tmp_path / "s.jsonl", name="s", store=store.root, sync=True)
    assert (done.gone, dict(done.account.rejected)) == (0, {"missing_media": 1})


@pytest.mark.parametrize("size", [10_000, 1])
def test_one_id_twice_does_not_alternate(
    tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    monkeypatch.setattr("triptych.converters.ingest.ingest.BATCH_ROWS", size)
    path = write(tmp_path / "q.jsonl", [row | {"id": "a"} for row in QUESTIONS[:2]])
    for updated in (0, 0, 0):
        done = load(path, store, on_conflict="update")
        assert (done.updated, done.repeated, set(questions(store))) == (updated, 1, {"Q one"})
    write(path, [QUESTIONS[2] | {"id": "a"}, QUESTIONS[0] | {"id": "a"}])
    done = load(path, store, on_conflict="update")
    assert (done.updated, done.repeated, set(questions(store))) == (1, 1, {"Q three"})


def test_an_annotation_that_still_wins_over_an_update_is_told(tmp_path: Path, store: Store) -> None:
    path = write(tmp_path / "q.jsonl", [row | {"id": str(n)} for n, row in enumerate(QUESTIONS)])
    load(path, store)
    facts = [("q/all/0", "answer", "mine"), ("q/all/1", "answer", "new"), ("q/all/2", "answer", "mine"),
             ("q/all/0", "review", "fine")]  # fmt: skip
    triptych.annotate(facts, store=store.root)
    write(path, [row | {"id": str(n), **({"answer": "new"} if n < 2 else {})} for n, row in enumerate(QUESTIONS)])
    done = load(path, store, on_conflict="update")
    assert done.updated == 2 and done.overridden == [("q/all/0", "answer")]
    assert "to clear one: triptych annotate q/all/0 answer --clear" in done.notes[-1]
    triptych.annotate("q/all/0", "answer", clear=True, store=store.root)
    assert one(store, "select answer from samples where id = 'q/all/0'") == "new"


def test_sync_on_the_command_line(tmp_path: Path, store: Store) -> None:
    path = write(tmp_path / "q.jsonl", QUESTIONS)
    words = [
        "import",
        "jsonl",
        path,
        "--name",
        "q",
        "--set",
        "task=qa",
        "--set",
        "modality=text",
        "--store",
        store.root,
    ]
    assert cli(*words).returncode == 0
    write(path, QUESTIONS[:2])
    done = cli(*words, "--sync")
    assert done.returncode == 0 and "1 rows that are no longer in the input were taken out" in done.stdout


def test_a_row_that_moved_to_another_file_stays(tmp_path: Path, store: Store) -> None:
    one, two = write(tmp_path / "one.jsonl", QUESTIONS[:1]), write(tmp_path / "two.jsonl", QUESTIONS[1:])
    load(one, store)
    load(two, store)
    before = questions(store)
    write(one, [QUESTIONS[0], QUESTIONS[2]])
    write(two, [QUESTIONS[1]])
    moved = load(one, store, sync=True)
    assert (moved.updated, dict(moved.account.dropped), moved.gone) == (1, {"duplicate": 1}, 0)
    assert load(two, store, sync=True).gone == 0
    assert questions(store) == before
    write(one, [QUESTIONS[0]])
    assert load(one, store, sync=True).taken_out == 1
    assert len(questions(store)) == 2
    check_accounts(store)
