"""Care of a store: compaction, garbage, views for another machine, removal with tombstones, purge with a receipt."""

from __future__ import annotations

import json
import os
import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest
import triptych
from support.stores import check_accounts, check_media, cli, cli_json, clip, ingest, media_files, one, select
from triptych.errors import UsageError
from triptych.shards.annotate import Annotation, annotate
from triptych.shards.care.care import collect_garbage, compact, status
from triptych.shards.care.removal import remove
from triptych.shards.exports import versions as exports
from triptych.shards.store.store import Store

Tone = Callable[..., bytes]
OLD = time.time() - 8 * 86_400


def age(store: Store) -> None:
    """Make all media older than a week."""
    for path in store.media.files():
        os.utime(path, (OLD, OLD))


@pytest.fixture(scope="module")
def pattern(tmp_path_factory: pytest.TempPathFactory, tone: Tone) -> Path:
    store = Store.create(tmp_path_factory.mktemp("care") / "store")
    ingest(store, "d", [clip(f"{n}", tone(300 + n), text=f"text {n}", speaker=f"s{n % 2}") for n in range(6)])
    ingest(store, "e", [clip("x", tone(900), text="other", speaker="s9")])
    return store.root


@pytest.fixture
def spoken(pattern: Path, tmp_path: Path) -> Store:
    """Six clips of two speakers in `d`, one of a third in `e`."""
    return Store.open(shutil.copytree(pattern, tmp_path / "store", symlinks=True))


# ---- status and compaction


def test_status_counts_what_is_there_and_names_only_living_holders(spoken: Store) -> None:
    found = status(spoken)
    assert [(each.dataset, each.samples, each.splits) for each in found.datasets] == [
        ("d", 6, {"train": 6}),
        ("e", 1, {"train": 1}),
    ]
    assert (found.media_files, found.media_bytes) == (7, sum(p.stat().st_size for p in spoken.media.files()))
    (spoken.root / ".locks" / "d.lock").write_text("somebody who was killed")
    assert status(spoken).held_by == []
    with spoken.dataset_lock("d", "paint it"):
        assert "paint it" in status(spoken).held_by[0]


def test_compaction_joins_files_and_changes_no_row(store: Store, tone: Tone) -> None:
    for n in range(10):
        ingest(store, "d", [clip(f"{n}", tone(300 + n), text=f"text {n}")])
    ingest(store, "e", [clip("x", tone(900))])
    before = select(store, "select * from samples order by id")
    assert compact(store, "d") >= 9
    assert select(store, "select * from samples order by id") == before
    assert len([uri for uri in store.table("samples").file_uris() if "dataset=d/" in uri]) == 1
    assert compact(store, "d") == 0
    ingest(store, "d", [clip("0", tone(300), text="text 0"), clip("new", tone(400))])
    assert one(store, "select count(*) from samples where dataset = 'd'") == 11
    check_accounts(store)


def test_compaction_beside_a_writer_loses_nothing(store: Store, tone: Tone) -> None:
    errors: list[Exception] = []

    def write(dataset: str) -> None:
        try:
            for n in range(5):
                ingest(store, dataset, [clip(f"{n}", tone(300 + n))])
        except Exception as error:  # noqa: BLE001
            errors.append(error)

    threads = [threading.Thread(target=write, args=(name,)) for name in ("d", "e")]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        for name in store.datasets():
            compact(store, name, force=True)
    assert errors == []
    assert one(store, "select count(*) from samples") == 10
    check_accounts(store)


def test_refresh_for_another_machine_names_its_paths(spoken: Store, tmp_path: Path) -> None:
    out = tmp_path / "views.duckdb"
    moved = tmp_path / "mounted"
    cli_json("store", "refresh", "--root", moved, "--out", out, "--store", spoken.root)
    with duckdb.connect(str(out), read_only=True) as client:
        with pytest.raises(duckdb.IOException, match="mounted"):
            client.execute("select count(*) from samples")
        moved.symlink_to(spoken.root)
        assert client.execute("select count(*) from samples").fetchall() == [(7,)]
    assert cli("store", "refresh", "--root", moved, "--store", spoken.root).returncode == 2


# ---- garbage


def test_gc_takes_only_old_media_that_nothing_names(spoken: Store, tone: Tone) -> None:
    orphan = spoken.root / spoken.media.put(tone(5000)).fields["path"]
    young = spoken.root / spoken.media.put(tone(6000)).fields["path"]
    age(spoken)
    os.utime(young)
    assert cli_json("store", "gc", "--dry-run", "--store", spoken.root)["files"] == [str(orphan)]
    assert orphan.is_file()
    found = collect_garbage(spoken)
    assert (found.files, found.kept_young) == ([orphan], 1)
    assert not orphan.exists()
    assert young.is_file()
    check_media(spoken)
    assert len(list(spoken.media.files())) == 8


def test_gc_keeps_media_of_old_versions_and_of_exports(spoken: Store) -> None:
    triptych.export("unified", store=spoken.root, dataset="e")
    remove(spoken, dataset="d")
    remove(spoken, dataset="e")
    age(spoken)
    assert collect_garbage(spoken).files == []
    spoken.vacuum("samples")
    # Now only the export names a file: the one of `e`.
    assert len(collect_garbage(spoken).files) == 6
    assert exports.verify(exports.find(spoken, "unified")) == []


# ---- removal


def test_a_tombstone_keeps_a_pull_from_bringing_a_row_back(spoken: Store, tone: Tone) -> None:
    done = cli_json("store", "remove", "--where", "speaker = 's1'", "--reason", "consent", "--store", spoken.root)
    assert done["samples"] == {"d": 3}
    again = ingest(spoken, "d", [clip(f"{n}", tone(300 + n), text=f"text {n}", speaker=f"s{n % 2}") for n in range(7)])
    assert again.account.kept == 1
    assert dict(again.account.dropped) == {"duplicate": 3, "withdrawn": 3}
    assert again.account.rejected == {}
    assert select(spoken, "select id from samples where speaker = 's1' and dataset = 'd' order by id") == []
    stones = select(spoken, "select candidate, reason from events where stage = 'remove' order by 1")
    assert stones == [{"candidate": f"d/train/{n}", "reason": "consent"} for n in (1, 3, 5)]
    check_accounts(spoken)


@pytest.mark.parametrize("where", ["foo=1", "speaker > 1", "audio = 3", "nofunction(id)"])
def test_an_expression_that_does_not_fit_the_columns_is_wrong_usage(spoken: Store, where: str) -> None:
    done = cli("store", "remove", "--where", where, "--store", spoken.root)
    assert done.returncode == 2 and "--where" in done.stderr and "Traceback" not in done.stderr
    with pytest.raises(UsageError, match="where="):
        triptych.store.remove(where=where, store=spoken.root)
    assert one(spoken, "select count(*) from samples") == 7


def test_what_is_removed_while_a_pull_runs_stays_removed(spoken: Store, tone: Tone) -> None:
    def stream():  # type: ignore[no-untyped-def]
        yield clip("new", tone(800))
        yield clip("1", tone(301), text="text 1", speaker="s1")
        yield clip("7", tone(307), speaker="s1")
        remove(spoken, where="id = 'd/train/1'")

    run = ingest(spoken, "d", stream())
    assert dict(run.account.dropped) == {"withdrawn": 1}
    assert one(spoken, "select count(*) from samples where id = 'd/train/1'") == 0
    check_accounts(spoken)


def test_removal_takes_checks_verdicts_and_annotations_with_it(spoken: Store) -> None:
    annotate(spoken, [Annotation("d/train/1", "text", "corrected"), Annotation("d/train/0", "text", "better")])
    triptych.validate(store=spoken.root)
    remove(spoken, where="speaker = 's1'")
    for table in ("checks", "verdicts", "annotations"):
        assert one(spoken, f"select count(*) from {table} where id in ('d/train/1', 'd/train/3', 'd/train/5')") == 0
    assert one(spoken, "select text from samples where id = 'd/train/0'") == "better"


def test_removal_names_the_exports_and_a_dry_run_changes_nothing(spoken: Store) -> None:
    triptych.export("unified", store=spoken.root)
    before = spoken.versions()
    planned = remove(spoken, where="speaker = 's1'", dry_run=True)
    assert (planned.samples, planned.exports) == ({"d": 3}, {"unified@v1": 3})
    assert spoken.versions() == before
    assert remove(spoken, where="speaker = 's1'").exports == {"unified@v1": 3}


def test_purge_deletes_media_old_versions_and_export_data_and_writes_a_receipt(spoken: Store, tone: Tone) -> None:
    ingest(spoken, "e", [clip("shared", tone(301))])  # the same bytes as d/train/1
    triptych.export("unified", store=spoken.root, dataset="d", name="all-d")
    triptych.export("unified", store=spoken.root, dataset="e", name="all-e")
    gone = {row["p"] for row in select(spoken, "select audio.path p from samples where dataset = 'd'")}
    kept = {row["p"] for row in select(spoken, "select audio.path p from samples where dataset = 'e'")}
    (spoken.root / "partial" / "0123").mkdir()
    (spoken.root / "partial" / "0123" / "data").write_bytes(b"x" * 10)
    done = cli_json("store", "remove", "d", "--purge", "--store", spoken.root)
    assert done["purged"]["media_files"] == 5
    assert done["purged"]["partial_bytes"] == 10
    assert set(media_files(spoken.root)) == kept
    assert gone - kept
    receipt = json.loads(Path(done["receipt"]).read_text())
    assert receipt["samples"] == {"d": 6}
    assert receipt["exports"] == {"all-d@v1": 6}
    withdrawn = exports.find(spoken, "all-d")
    assert withdrawn.manifest["withdrawn"]
    assert sorted(path.name for path in withdrawn.path.iterdir()) == ["NOTICE", "manifest.json"]
    assert exports.verify(exports.find(spoken, "all-e")) == []
    texts = [path.read_bytes() for path in spoken.root.rglob("*.parquet")]
    assert not any(b"text 3" in text for text in texts)
    assert triptych.query("select * from samples", store=spoken.root).num_rows == 2
    check_media(spoken)


def test_what_was_removed_can_be_purged_later(spoken: Store) -> None:
    triptych.export("unified", store=spoken.root, name="x")
    remove(spoken, dataset="d")
    assert len(media_files(spoken.root)) == 7
    later = remove(spoken, dataset="d", purge=True)
    assert later.exports == {"x@v1": 6}
    assert len(media_files(spoken.root)) == 1


def test_purge_leaves_media_that_another_pull_is_about_to_name(spoken: Store, tone: Tone) -> None:
    pending = spoken.root / spoken.media.put(tone(7000)).fields["path"]
    reused = spoken.media.put(tone(301)).fields["path"]
    remove(spoken, dataset="d", purge=True)
    assert pending.is_file()
    # The same bytes came again a moment ago: they belong to whoever stored them.
    assert one(spoken, "select count(*) from samples") == 1
    assert reused


def test_purge_takes_rows_that_a_killed_writer_left_uncommitted(spoken: Store) -> None:
    [file] = [Path(uri) for uri in spoken.table("samples").file_uris() if "dataset=d/" in uri]
    stray = file.with_name("part-stray.parquet")
    stray.write_bytes(file.read_bytes())
    remove(spoken, dataset="d", purge=True)
    assert not stray.exists()
    assert len(media_files(spoken.root)) == 1


def test_removal_of_nothing_says_so(spoken: Store) -> None:
    with pytest.raises(UsageError, match=r"no dataset 'nope'\. Datasets: d, e"):
        remove(spoken, dataset="nope")
    with pytest.raises(UsageError, match="No sample is selected"):
        remove(spoken, where="speaker = 'nobody'")
    assert cli("store", "remove", "--store", spoken.root).returncode == 2
    for hostile in ("1=1; drop table samples", "id in (select id from samples)", "speaker = "):
        assert cli("store", "remove", "--where", hostile, "--store", spoken.root).returncode == 2
    assert one(spoken, "select count(*) from samples") == 7
