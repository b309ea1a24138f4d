"""Commands that were killed and are run again: the account is complete, copies are whole, nothing is written twice."""

from __future__ import annotations

import shutil
import socket
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import triptych
from support import imported
from support.stores import check_accounts, cli, one, select
from triptych.converters.export import export as export_module
from triptych.errors import DamagedError, UsageError
from triptych.shards import annotate as annotate_module
from triptych.shards.care import restore as restoring
from triptych.shards.events import Run
from triptych.shards.exports import copies
from triptych.shards.exports import versions as exports
from triptych.shards.exports.scratch import leftovers
from triptych.shards.store.commits import FenceConflict
from triptych.shards.store.store import Store

pytestmark = pytest.mark.usefixtures("created_anew")
FIRST = "id = 'speech/train/utt000'"
SHARES = "train=50,validation=50"


class Killed(BaseException):
    """Ends a command where a killed process would end."""


@pytest.fixture(scope="module")
def pattern(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three utterances, one of which can have no row."""
    folder = tmp_path_factory.mktemp("pattern")
    rows = imported.speech_rows(folder / "in", 3)
    rows[2]["end_s"] = 99.0
    return imported.bring_in(folder / "store", "speech", rows, folder)


@pytest.fixture
def speech(pattern: Path, tmp_path: Path) -> Store:
    shutil.copytree(pattern, tmp_path / "store", symlinks=True)
    return Store.open(tmp_path / "store")


def die(*_: Any, **__: Any) -> Any:
    raise Killed


@pytest.mark.parametrize("place", [(export_module, "publish"), (export_module, "write_events"), (Run, "finish")])
def test_an_export_killed_before_its_account_is_accounted_by_the_next_one(
    speech: Store, monkeypatch: pytest.MonkeyPatch, place: tuple[Any, str]
) -> None:
    with monkeypatch.context() as patch:
        real = getattr(*place)
        patch.setattr(*place, lambda *given, **options: (place[1] == "publish" and real(*given, **options), die()))
        with pytest.raises(Killed):
            triptych.export("unified", store=speech.root)
    assert one(speech, "select count(*) from runs where stage = 'export'") == 0
    for _ in range(2):
        result = triptych.export("unified", store=speech.root)
        assert result.version.reference == "unified@v1"
    [run] = select(speech, "select run_id, kept, candidates from runs where stage = 'export'")
    assert run["run_id"] == result.version.manifest["run_id"] and run["kept"] == result.counts["written"]
    events = "select count(*) from events where stage = 'export'"
    assert one(speech, events) == run["candidates"] - run["kept"]
    check_accounts(speech)


def test_a_relocation_that_was_killed_leaves_nothing_behind(speech: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    version = triptych.export("unified", store=speech.root).version
    left = version.path.parent / ".scratch-elsewhere-1-abcd"
    (left / "v1-abcd").mkdir(parents=True)
    monkeypatch.setattr("triptych.shards.exports.scratch.socket.gethostname", lambda: "elsewhere")
    monkeypatch.setattr("triptych.shards.exports.scratch.is_alive", lambda process: process != 1)
    assert leftovers(speech) == [left]
    assert "left by a killed process" in cli("store", "status", "--store", speech.root).stdout
    copies.relocate(speech, version, "/other")
    assert leftovers(speech) == [] and not left.exists()


def test_a_pack_that_was_killed_is_packed_again_by_the_same_command(
    speech: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    triptych.export("unified", store=speech.root)
    folder = tmp_path / "pack"
    with monkeypatch.context() as patch:
        patch.setattr(copies, "_write_copy", die)
        with pytest.raises(Killed):
            triptych.exports.pack("unified", folder, store=speech.root)
    assert (folder / copies.UNFINISHED).is_file() and not (folder / "manifest.json").exists()
    packed = triptych.exports.pack("unified", folder, store=speech.root)
    assert packed["media"]["files"] == len([path for path in (folder / "media").rglob("*") if path.is_file()])
    assert not (folder / copies.UNFINISHED).exists()
    again = cli("exports", "pack", "unified", "--to", folder, "--store", speech.root)
    assert again.returncode == 2 and "is not empty" in again.stderr


def test_a_damaged_file_is_not_packed(speech: Store, tmp_path: Path) -> None:
    version = triptych.export("unified", store=speech.root).version
    media = Path(exports.media_paths(version)[0])
    content = bytearray(media.read_bytes())
    content[-1] ^= 1
    (speech.root / media.relative_to(version.manifest["media_root"])).write_bytes(content)
    with pytest.raises(DamagedError, match="damaged: its bytes have the SHA-256"):
        triptych.exports.pack("unified", tmp_path / "pack", store=speech.root)


def test_annotations_killed_before_their_account_are_written_once(
    speech: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    facts = [("speech/train/utt000", "text", "better"), ("speech/train/utt001", "mood", "calm")]
    with monkeypatch.context() as patch:
        patch.setattr(annotate_module.Run, "finish", die)
        with pytest.raises(Killed):
            triptych.annotate(facts, store=speech.root)
    assert triptych.annotate(facts, store=speech.root) == 2
    assert one(speech, "select count(*) from annotations") == 2
    assert one(speech, "select kept from runs where stage = 'annotate'") == 2
    assert triptych.annotate([*facts, (facts[0][0], "mood", "glad")], store=speech.root) == 3
    triptych.annotate(facts, store=speech.root)
    kept = "select list(kept order by started_at) from runs where stage = 'annotate'"
    assert one(speech, kept) == [2, 1, 0]  # what was accounted for once is a repeat
    triptych.annotate([(facts[0][0], "text", "worse"), facts[0]], store=speech.root)
    triptych.annotate([(facts[0][0], "text", "worse")], store=speech.root)
    assert one(speech, "select count(*) from annotations") == 4
    check_accounts(speech)


def test_a_clearing_killed_before_its_account_is_accounted_by_the_same_command(
    speech: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    triptych.annotate("speech/train/utt000", "text", "better", store=speech.root)
    with monkeypatch.context() as patch:
        patch.setattr(annotate_module.Run, "finish", die)
        with pytest.raises(Killed):
            triptych.annotate("speech/train/utt000", "text", clear=True, store=speech.root)
    assert triptych.annotate("speech/train/utt000", "text", clear=True, store=speech.root) == 1
    assert one(speech, "select count(*) from annotations") == 2
    assert one(speech, "select count(*) from runs where stage = 'annotate'") == 2
    with pytest.raises(UsageError, match="no annotation 'text' to clear"):
        triptych.annotate("speech/train/utt000", "text", clear=True, store=speech.root)
    triptych.annotate("speech/train/utt000", "text", "better", store=speech.root)
    assert one(speech, "select text from samples where id = 'speech/train/utt000'") == "better"


def test_splits_killed_before_their_account_are_accounted_once(speech: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(annotate_module.Run, "finish", die)
        with pytest.raises(Killed):
            triptych.split("speech", by="id", shares=SHARES, store=speech.root)
    count = one(speech, "select count(*) from annotations where key = 'assigned_split'")
    again = triptych.split("speech", by="id", shares=SHARES, store=speech.root)
    assert (again.assigned, again.unchanged) == (count, 0)
    third = triptych.split("speech", by="id", shares=SHARES, store=speech.root)
    assert (third.assigned, third.unchanged) == (0, count)
    assert one(speech, "select list(kept order by started_at) from runs where stage = 'split'") == [count, 0]
    assert one(speech, "select count(*) from annotations where key = 'assigned_split'") == count
    check_accounts(speech)


def test_predictions_killed_before_their_account_are_accounted_once(
    speech: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [
        {"id": f"speech/{place}", "prediction": "wrong"} for place in ("train/utt000", "test/utt001", "train/utt001")
    ]
    file = imported.table(tmp_path / "wrong.jsonl", rows)
    asked = {"name": "speech", "meant_as": "rejected", "store": speech.root}
    with monkeypatch.context() as patch:
        patch.setattr(Run, "finish", die)
        with pytest.raises(Killed):
            triptych.import_data("predictions", file, **asked)
    count = one(speech, "select count(*) from annotations where key = 'rejected'")
    assert count > 0
    for _ in range(2):
        triptych.import_data("predictions", file, **asked)
    last = "select list(kept order by started_at) from runs where command like '%predictions%' and stage = 'import'"
    assert one(speech, last) == [count, 0]
    assert one(speech, "select count(*) from annotations where key = 'rejected'") == count
    check_accounts(speech)


def test_rows_and_media_that_a_killed_export_left_go_with_the_next_command(speech: Store) -> None:
    process = f"{socket.gethostname()}-{ended_process()}"
    rows = speech.root / "exports" / "unified" / f".scratch-{process}-abcd" / "rows.jsonl"
    media = speech.root / "partial" / "tmp" / f"{process}-0"
    for path in (rows, media):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")
    triptych.annotate("speech/train/utt000", "mood", "calm", store=speech.root)
    assert not rows.parent.exists() and not media.exists()


def ended_process() -> int:
    process = subprocess.Popen(["true"])
    process.wait()
    return process.pid


@pytest.mark.usefixtures("views_written")
def test_leftovers_of_a_killed_refresh_go_with_the_next_command_even_if_it_has_nothing_to_do(speech: Store) -> None:
    for name in (".store.duckdb.4711", ".store.duckdb.4711.wal"):
        (speech.root / name).write_text("x")
    assert triptych.export("unified", store=speech.root).version
    assert list(speech.root.glob(".store.duckdb.*")) == []


def test_a_removal_and_a_restore_that_others_overtook_go_on(speech: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    overtaken: list[str] = []
    reals = {name: getattr(Store, name) for name in ("delete", "append")}
    for name in reals:

        def commit(store: Store, table: str, *given: Any, _name: str = name, **options: Any) -> None:
            if table == "samples" and _name not in overtaken:
                overtaken.append(_name)
                raise FenceConflict("another writer")
            reals[_name](store, table, *given, **options)

        monkeypatch.setattr(Store, name, commit)
    triptych.store.remove(where=FIRST, store=speech.root)
    triptych.store.restore("speech", store=speech.root)
    assert overtaken == ["delete", "append"]
    assert one(speech, "select count(*) from samples") == 2


@pytest.mark.parametrize("step", ["finish", "lift"])
def test_a_restore_that_was_killed_is_accounted_once(speech: Store, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    triptych.store.remove(where=FIRST, store=speech.root)
    with monkeypatch.context() as patch:
        place: Any = restoring.Run if step == "finish" else restoring
        real = getattr(place, step)
        patch.setattr(place, step, lambda *given: (real(*given), die())[1])
        with pytest.raises(Killed):
            triptych.store.restore("speech", store=speech.root)
    with suppress(UsageError):  # if all was done, there is nothing to restore
        triptych.store.restore("speech", store=speech.root)
    assert one(speech, "select sum(kept)::int from runs where stage = 'restore'") == 1
    assert one(speech, "select count(*) from samples") == 2
    assert one(speech, "select count(*) from events where stage = 'remove'") == 0
