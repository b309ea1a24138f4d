"""Withdrawal: a purge leaves no byte, is finished when it was killed, and what was withdrawn does not come back."""

from __future__ import annotations

import json
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import triptych
from support import imported
from support.stores import check_accounts, check_media, cli, cli_json, clip, ingest, media_files, one, places_of, select
from triptych.errors import TriptychError, UsageError
from triptych.shards.care import journal, purge, removal
from triptych.shards.care.care import status
from triptych.shards.care.removal import remove
from triptych.shards.exports import versions as exports
from triptych.shards.store import use
from triptych.shards.store.rows_to_arrow import rows_to_table
from triptych.shards.store.store import Store
from triptych.shards.store.tables import ANNOTATIONS
from triptych.shards.store.use import alone, in_use

Tone = Callable[..., bytes]

NAME, TEXT, NOTE, BETTER = "Victoria Zweig", "AAA the QWERTY confession", "extraSECRET", "AAA the CORRECTED confession"
WORDS = (NAME, "QWERTY", NOTE, "CORRECTED")
WHERE = f"speaker = '{NAME}'"


def rows(folder: Path, count: int = 4) -> list[dict[str, Any]]:
    made = imported.speech_rows(folder, count, speaker="someone", note="harmless")
    made[0] |= {"speaker": NAME, "text": TEXT, "note": NOTE}
    return made


@pytest.fixture(scope="module")
def pattern(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pattern")
    return make_store(folder).root


@pytest.fixture
def talks(pattern: Path, tmp_path: Path) -> Store:
    """A copy of the pattern."""
    shutil.copytree(pattern, tmp_path / "store", symlinks=True)
    shutil.copy(pattern.parent / "talks.jsonl", tmp_path)
    return Store.open(tmp_path / "store")


def make_store(folder: Path) -> Store:
    """A store in which the words are in all places: rows, an annotation, an export, requests, leftovers."""
    path = imported.bring_in(folder / "store", "talks", rows(folder / "in"), folder)
    triptych.annotate("talks/train/utt000", "text", BETTER, store=path)
    triptych.export("unified", store=path, name="all")
    triptych.export("unified", store=path, name="others", where=f"speaker <> '{NAME}'")
    triptych.store.refresh(store=path)
    store = Store.open(path)
    for place in (".scratch-node7-1-abcdefgh", ".v1-12345678.1"):
        left = store.root / "exports" / "all" / place
        left.mkdir()
        (left / "rows.jsonl").write_text(TEXT)
        os.utime(left, (0, 0))
    (store.root / "partial" / "tmp").mkdir(parents=True, exist_ok=True)
    (store.root / "partial" / "tmp" / "node7-1-1").write_text(TEXT)
    return store


# ---- nothing is left


@pytest.mark.usefixtures("views_written")
def test_a_purge_leaves_no_byte_of_what_was_withdrawn(talks: Store) -> None:
    media = one(talks, f"select audio.path from samples where {WHERE}")
    assert {each.split(": ")[1] for each in places_of(talks.root, WORDS)} == set(WORDS)
    removal = triptych.store.remove(where=WHERE, purge=True, store=talks.root)
    assert (removal.samples, removal.exports) == ({"talks": 1}, {"all@v1": 1})
    assert places_of(talks.root, WORDS) == []
    assert not (talks.root / media).exists()
    assert len(media_files(talks.root)) == 3
    assert one(talks, "select count(*) from samples") == 3
    assert exports.require_data(exports.find(talks, "others")).manifest["rows"] == 3
    check_accounts(talks)
    check_media(talks)


def test_an_annotation_that_was_under_way_is_purged_too(talks: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    real = removal.purge_store

    def annotate_and_purge(store: Store, *given: Any, **options: Any) -> None:
        fact = {"dataset": "talks", "id": "talks/train/utt000", "key": "text", "value": TEXT, "producer": "me"}
        store.append("annotations", rows_to_table([fact], ANNOTATIONS))
        real(store, *given, **options)

    monkeypatch.setattr(removal, "purge_store", annotate_and_purge)
    removal.remove(talks, where=WHERE, purge=True)
    assert places_of(talks.root, WORDS) == []
    assert one(talks, "select count(*) from annotations") == 0


def test_logs_that_hold_statistics_are_rewritten_by_a_purge(store: Store, tone: Tone) -> None:
    store.open_table("samples").alter.set_table_properties({"delta.dataSkippingNumIndexedCols": "32"})
    odd = "a{0} {} 'b'%"
    ingest(store, "d", [clip(odd, tone(300), text=TEXT, speaker=NAME), clip("b", tone(301), text="other")])
    logs = store.root / "samples" / "_delta_log"
    assert any(b"QWERTY" in path.read_bytes() for path in logs.iterdir())
    before = store.versions()["samples"]
    remove(store, where=WHERE, purge=True)
    assert places_of(store.root, WORDS) == []
    assert Store.open(store.root).versions()["samples"] > before
    ingest(store, "d", [clip("c", tone(302), text="third")])
    assert one(store, "select count(*) from samples") == 2


def test_new_stores_keep_no_statistics_of_texts_in_their_logs(store: Store, tone: Tone) -> None:
    ingest(store, "d", [clip("a", tone(300), text=TEXT, speaker=NAME)])
    assert not any(word.encode() in path.read_bytes() for word in WORDS for path in store.root.glob("*/_delta_log/*"))


@pytest.mark.parametrize("options", [{"where": WHERE}, {}])
def test_what_was_removed_earlier_is_purged_by_the_same_expression_or_by_purge_alone(
    talks: Store, options: dict[str, str]
) -> None:
    triptych.store.remove(where=WHERE, store=talks.root)
    assert places_of(talks.root, WORDS)
    planned = triptych.store.remove(**options, purge=True, dry_run=True, store=talks.root)
    assert (planned.earlier, planned.exports) == ({"talks": 1}, {"all@v1": 1})
    triptych.store.remove(**options, purge=True, store=talks.root)
    assert places_of(talks.root, WORDS) == []
    assert one(talks, "select count(*) from samples") == 3


def test_a_dry_run_names_the_exports_whose_data_would_be_deleted(talks: Store) -> None:
    said = cli("store", "remove", "--where", WHERE, "--purge", "--dry-run", "--store", talks.root).stdout
    assert "all@v1 contains 1 of them: its data would be deleted" in said
    assert exports.require_data(exports.find(talks, "all"))


# ---- killed and run again


class Killed(BaseException):
    """Ends a purge where a killed process would end."""


STEPS = [
    "_delete_data",
    "_erase_runs",
    "_erase_events",
    "_withdraw_exports",
    "_sweep_temporary_files",
    "trim_log",
    "delete",
]


@pytest.mark.parametrize(
    "step",
    ["vacuum", "_delete_media", *(pytest.param(step, marks=pytest.mark.thorough) for step in STEPS)],
)
def test_a_purge_killed_at_any_step_is_finished_by_the_same_command(
    talks: Store, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    with monkeypatch.context() as patch:
        place: Any = Store if hasattr(Store, step) else purge
        real = getattr(place, step)

        def work_and_die(*arguments: Any, **options: Any) -> None:
            real(*arguments, **options)
            raise Killed

        patch.setattr(place, step, work_and_die)
        with pytest.raises(Killed):
            triptych.store.remove(where=WHERE, purge=True, store=talks.root)
    assert "purge of 1 samples (talks)" in status(talks).pending[0]
    removal = triptych.store.remove(where=WHERE, purge=True, store=talks.root)
    assert (removal.samples, removal.exports) == ({"talks": 1}, {"all@v1": 1})
    assert (removal.purged["media_files"], removal.purged["exports"]) == (1, 1)
    assert status(talks).pending == []
    assert places_of(talks.root, WORDS) == []
    assert len(media_files(talks.root)) == 3
    assert exports.find(talks, "all").manifest["withdrawn"]
    assert one(talks, "select count(*) from events where stage = 'remove'") == 1
    assert one(talks, "select count(*) from runs where stage = 'remove'") == 1
    check_accounts(talks)


def test_half_an_entry_of_the_journal_goes_with_the_next_removal(talks: Store) -> None:
    left = talks.root / "pending" / ".remove-20260101T000000000000.4711"
    left.parent.mkdir(exist_ok=True)
    left.write_text(NAME)
    triptych.store.remove(where=WHERE, store=talks.root)
    assert not left.exists()


def test_a_dataset_that_is_forgotten_is_forgotten_by_the_same_command_when_it_was_killed(
    talks: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(removal, "delete_facts", lambda *_: (_ for _ in ()).throw(Killed))
        with pytest.raises(Killed):
            triptych.store.remove("talks", forget=True, store=talks.root)
    assert triptych.store.remove("talks", forget=True, store=talks.root).samples == {"talks": 4}
    assert one(talks, "select count(*) from annotations") == 0
    with pytest.raises(UsageError, match="no dataset 'talks'"):
        triptych.store.remove("talks", forget=True, store=talks.root)


def test_the_next_command_that_writes_finishes_a_killed_purge(talks: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(purge, "_purge_tables", lambda *_: (_ for _ in ()).throw(Killed))
        with pytest.raises(Killed):
            triptych.store.remove(where=WHERE, purge=True, store=talks.root)
    assert "unfinished: purge of 1 samples" in cli("store", "status", "--store", talks.root).stdout
    triptych.annotate("talks/train/utt001", "mood", "calm", store=talks.root)
    assert status(talks).pending == []
    assert places_of(talks.root, WORDS) == []
    assert cli_json("store", "remove", "--resume", "--store", talks.root) == []


# ---- others at work


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(purge, "PATIENCE_S", 0.2)
    yield


def test_a_purge_waits_for_those_who_use_the_store(store: Store, tone: Tone) -> None:
    ingest(store, "d", [clip("a", tone(300), text=TEXT, speaker=NAME), clip("b", tone(301))])
    is_in, leave = threading.Event(), threading.Event()

    def work() -> None:
        with in_use(store.root, "import b"):
            is_in.set()
            leave.wait(20)

    other = threading.Thread(target=work)
    other.start()
    assert is_in.wait(5)
    purging = threading.Thread(target=lambda: remove(store, where=WHERE, purge=True))
    purging.start()
    time.sleep(0.3)
    assert purging.is_alive() and places_of(store.root, WORDS)
    leave.set()
    purging.join(20)
    other.join(20)
    assert places_of(store.root, WORDS) == []


def test_a_purge_is_refused_while_the_store_is_in_use_and_finished_later(
    store: Store, tone: Tone, impatient: None
) -> None:
    ingest(store, "d", [clip("a", tone(300), text=TEXT, speaker=NAME), clip("b", tone(301))])
    is_in, leave = threading.Event(), threading.Event()

    def work() -> None:
        with in_use(store.root, "import b"):
            is_in.set()
            leave.wait(20)

    other = threading.Thread(target=work)
    other.start()
    assert is_in.wait(5)
    with pytest.raises(TriptychError, match=r"withdrawn, but not purged yet.*import b") as refused:
        remove(store, where=WHERE, purge=True)
    assert refused.value.exit_code == 1 and "--resume" in str(refused.value.hint)
    leave.set()
    other.join(20)
    assert one(store, "select count(*) from samples") == 1
    triptych.store.resume(store=store.root)
    assert places_of(store.root, WORDS) == [] and not journal.has_pending(store)


def test_an_open_duckdb_client_counts_as_a_reader(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(use, "duckdb_clients", lambda root: [4711])
    with pytest.raises(TriptychError, match=r"store\.duckdb is open in process 4711"):  # noqa: SIM117
        with alone(store.root, "purge", patience_s=0.1):
            pass


def test_who_uses_a_store_never_waits_for_a_purge_that_waits_for_them(store: Store) -> None:
    with in_use(store.root, "export"):
        waiting = threading.Thread(target=lambda: _try_alone(store.root))
        waiting.start()
        time.sleep(0.2)
        with in_use(store.root, "a query of the same export"):
            pass
    waiting.join(10)
    assert not waiting.is_alive()


def _try_alone(root: Path) -> None:
    with alone(root, "purge", patience_s=5):
        pass


# ---- what was withdrawn does not come back


def test_the_same_media_under_another_name_is_refused_and_told(tmp_path: Path) -> None:
    made = rows(tmp_path / "in")
    path = imported.bring_in(tmp_path / "store", "talks", made, tmp_path)
    triptych.store.remove(where=WHERE, purge=True, store=path)
    before = media_files(path)
    again = tmp_path / "other.jsonl"
    imported.table(again, [{**row, "id": f"x{row['id']}", "speaker": "nobody"} for row in made])
    done = cli("import", "jsonl", again, "--name", "other", "--store", path)
    assert done.returncode == 1 and "1 withdrawn" in done.stdout
    assert "triptych store remove talks --forget" in done.stdout and "restore other" not in done.stdout
    assert one(path, "select count(*) from samples where dataset = 'other'") == 3
    assert media_files(path) == before
    [event] = select(path, "select reason, detail from events where dataset = 'other' and stage = 'import'")
    assert event["reason"] == "withdrawn" and "removed on request from talks" in event["detail"]
    check_accounts(path)


def test_media_that_a_remaining_sample_names_is_not_refused(store: Store, tone: Tone) -> None:
    ingest(store, "d", [clip("a", tone(300), text="wrong question"), clip("b", tone(300), text="right question")])
    remove(store, where="id = 'd/train/a'")
    run = ingest(store, "e", [clip("c", tone(300), text="another question")])
    assert run.account.kept == 1


def test_speakers_are_blocked_where_that_was_asked_for(store: Store, tone: Tone) -> None:
    ingest(store, "d", [clip("a", tone(300), speaker=NAME), clip("b", tone(301), speaker="other")])
    remove(store, where=WHERE, block_speakers=True)
    run = ingest(store, "d", [clip("new", tone(302), speaker=NAME), clip("c", tone(303), speaker="other")])
    assert (run.account.kept, dict(run.account.dropped)) == (1, {"withdrawn": 1})
    assert ingest(store, "e", [clip("x", tone(304), speaker=NAME)]).account.kept == 1
    assert NAME not in json.dumps(select(store, "select candidate, uri from events where stage = 'remove'"))


# ---- the ways back


def test_restore_brings_samples_back_as_they_were(talks: Store, tmp_path: Path) -> None:
    triptych.validate(store=talks.root)
    tables = {name: f"select * from {name} order by all" for name in ("samples", "checks", "verdicts", "annotations")}
    before = {name: select(talks, sql) for name, sql in tables.items()}
    triptych.store.remove("talks", store=talks.root)
    assert one(talks, "select count(*) from samples") == 0
    assert cli_json("store", "restore", "talks", "--where", WHERE, "--store", talks.root)["samples"] == {"talks": 1}
    assert one(talks, "select text from samples") == BETTER
    assert triptych.store.restore("talks", store=talks.root).samples == {"talks": 3}
    assert {name: select(talks, sql) for name, sql in tables.items()} == before
    assert imported_again(tmp_path, talks) == {"duplicate": 4}
    with pytest.raises(UsageError, match="Nothing was removed from 'talks'"):
        triptych.store.restore("talks", store=talks.root)
    check_accounts(talks)


def imported_again(folder: Path, store: Store) -> dict[str, int]:
    result = triptych.import_data("jsonl", folder / "talks.jsonl", name="talks", store=store.root)
    return dict(result.account.dropped)


def test_a_mistaken_import_is_forgotten_and_made_again(talks: Store, tmp_path: Path) -> None:
    triptych.store.remove("talks", store=talks.root)
    refused = cli("import", "jsonl", tmp_path / "talks.jsonl", "--name", "talks", "--store", talks.root)
    assert refused.returncode == 1 and "triptych store restore talks" in refused.stdout
    forgotten = triptych.store.remove("talks", forget=True, store=talks.root)
    assert forgotten.forgotten == {"talks": 4}
    assert imported_again(tmp_path, talks) == {}
    triptych.store.remove("talks", forget=True, store=talks.root)
    assert imported_again(tmp_path, talks) == {}
    assert one(talks, "select count(*) from samples") == 4


def test_what_was_purged_cannot_be_restored_and_the_way_out_is_named(talks: Store, tmp_path: Path) -> None:
    triptych.store.remove("talks", purge=True, store=talks.root)
    done = cli("store", "restore", "talks", "--store", talks.root)
    assert done.returncode == 2 and "store remove talks --forget" in done.stderr
    triptych.store.remove("talks", forget=True, store=talks.root)
    assert imported_again(tmp_path, talks) == {}
