"""The store: made and opened, written by many at once, read by anybody, shared by a team."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest
import triptych
from support.forks import fork
from support.places import ROOT
from support.stores import check_accounts, check_media, cli, clip, ingest, leftovers, one, select
from triptych.converters.candidate import Blob, Candidate
from triptych.errors import TriptychError, UsageError
from triptych.shards.store import lock
from triptych.shards.store.commits import FenceConflict
from triptych.shards.store.lock import is_held, locked, read_holder
from triptych.shards.store.store import Store
from triptych.shards.store_format import TABLE_NAMES

pytestmark = pytest.mark.usefixtures("created_anew")
Tone = Callable[..., bytes]


# ---- making and opening


@pytest.mark.usefixtures("views_written")
def test_init_makes_every_table_and_the_duckdb_file(tmp_path: Path) -> None:
    store = Store.open(triptych.store.init(tmp_path / "deep" / "store"))
    assert {name for name in TABLE_NAMES if store.table(name).version() == 0} == set(TABLE_NAMES)
    assert (store.root / "store.duckdb").is_file()
    assert Store.create(store.root).versions() == Store.open(store.root).versions()


def test_an_open_table_is_kept_until_the_log_has_another_commit(store: Store, tone: Tone) -> None:
    reader = Store.open(store.root)
    first = reader.table("samples")
    assert reader.table("samples") is first
    ingest(store, "speech", [clip("a", tone())])
    assert reader.table("samples").version() == 1
    ingest(store, "speech", [clip("b", tone(300))])
    ingest(store, "speech", [clip("c", tone(400))])
    Store.open(store.root).open_table("samples").create_checkpoint()
    for number in (0, 1, 2):  # as a purge trims the log: the next commit of the open table is gone, too
        (store.root / "samples/_delta_log" / f"{number:020}.json").unlink()
    assert reader.table("samples").version() == 3 and len(reader.live_files("samples")) == 3


def test_a_missing_store_exits_2_and_says_where_it_was_looked_for(tmp_path: Path) -> None:
    for arguments in (["query", "select 1"], ["validate"], ["store", "status"], ["explain", "x"]):
        done = cli(*arguments, "--store", tmp_path / "nowhere")
        assert done.returncode == 2
        assert f"There is no store at {tmp_path / 'nowhere'}" in done.stderr
        assert not (tmp_path / "nowhere").exists()


def test_the_store_is_found_by_option_then_variable_then_folder(tmp_path: Path) -> None:
    for name in ("a", "b", "work/store"):
        Store.create(tmp_path / name)
    env = {"TRIPTYCH_STORE": str(tmp_path / "b")}
    cwd = tmp_path / "work"
    assert str(tmp_path / "a") in cli("store", "status", "--store", tmp_path / "a", env=env, cwd=cwd).stdout
    assert f"store: {tmp_path / 'b'}\n" in cli("store", "status", env=env, cwd=cwd).stdout
    assert f"store: {tmp_path / 'work/store'}\n" in cli("store", "status", cwd=cwd).stdout


def test_a_folder_with_other_files_is_not_made_a_store(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("x")
    with pytest.raises(UsageError, match="contains other files"):
        Store.create(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]
    with pytest.raises(UsageError, match="is a file"):
        Store.create(tmp_path / "thesis.tex")


def test_a_store_whose_making_was_killed_is_made_to_the_end(tmp_path: Path) -> None:
    store = Store.create(tmp_path / "store")
    for log in (store.root / "runs" / "_delta_log").iterdir():
        log.unlink()
    assert one(Store.create(store.root), "select count(*) from runs") == 0


def test_requests_that_cannot_work_make_no_store(tmp_path: Path) -> None:
    for arguments in (
        ["catalog", "pull", "no-such-card"],
        ["catalog", "pull", "librispeech", "--split", "nope"],
        ["import", "csv", tmp_path / "missing.csv", "--name", "x"],
    ):
        assert cli(*arguments, "--store", tmp_path / "store").returncode == 2
        assert not (tmp_path / "store").exists()


# ---- many writers


WRITE = """if True:
    import sys, time
    from pathlib import Path
    from support.stores import clip, ingest
    from triptych.shards.store.store import Store

    root, dataset, first, media, start = sys.argv
    time.sleep(max(0.0, float(start) - time.time()))
    for part in range(int(first), int(first) + 30, 10):
        sound = {n: (Path(media) / str(n)).read_bytes() for n in range(part, part + 10)}
        ingest(Store.open(Path(root)), dataset, [clip(f"{n:04d}", sound[n], text=f"text {n}") for n in sound])
"""


@pytest.mark.parametrize("datasets", [pytest.param(("one",), marks=pytest.mark.thorough), ("one", "two")])
def test_writers_at_once_store_every_id_once_and_lose_none(
    store: Store, tone: Tone, datasets: tuple[str, ...], tmp_path: Path
) -> None:
    for n in range(50):
        (tmp_path / str(n)).write_bytes(tone(200 + n))
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "tests")}
    start = time.time() + 1
    workers = [
        fork(
            WRITE, str(store.root), datasets[w % len(datasets)], str(w * 5), str(tmp_path), str(start), env=environment
        )
        for w in range(4)
    ]
    for worker in workers:
        _, said = worker.communicate(timeout=120)
        assert worker.returncode == 0, said
    expected = {d: len({n for w in range(4) if datasets[w % len(datasets)] == d for n in range(w * 5, w * 5 + 30)})
                for d in datasets}  # fmt: skip
    counts = select(store, "select dataset, count(*) n, count(distinct id) ids from samples group by 1")
    assert {row["dataset"]: row["n"] for row in counts} == expected
    assert all(row["n"] == row["ids"] for row in counts)
    kept = select(store, "select dataset, sum(kept) kept, sum(candidates) candidates from runs group by 1")
    assert {row["dataset"]: int(row["kept"]) for row in kept} == expected
    assert sum(int(row["candidates"]) for row in kept) == 120
    check_accounts(store)
    check_media(store)
    assert leftovers(store.root) == []


def test_a_fence_is_taken_once(store: Store) -> None:
    from triptych.shards.store.tables import EVENTS

    rows = pa.Table.from_pylist([{"dataset": "d", "candidate": "x"}], schema=EVENTS)
    before = store.table("events")
    store.append("events", rows, fence=("pull:d", 1))
    with pytest.raises(FenceConflict):
        store.append("events", rows, table=before, fence=("pull:d", 1))
    assert one(store, "select count(*) from events") == 1
    assert store.fence_number("events", "pull:d") == 1


def take_b_away(store: Store) -> None:
    store.delete("samples", "d", ["d/train/b"])


def add_a_column(store: Store) -> None:
    row = pa.table({"id": ["x"], "dataset": ["e"], "loudness": [1.0]})
    store.append("samples", row, merge_schema=True)


@pytest.mark.parametrize(
    ("change", "other"),
    [("delete", take_b_away), ("delete_where", take_b_away), ("update", take_b_away), ("append", add_a_column)],
)
def test_a_commit_that_another_writer_overtook_is_made_again(
    store: Store, tone: Tone, monkeypatch: pytest.MonkeyPatch, change: str, other: Callable[[Store], None]
) -> None:
    ingest(store, "d", [clip("a", tone(300)), clip("b", tone(301))])
    real, others = Store.open_table, [Store.open(store.root)]

    def overtaken(mine: Store, name: str, **options: Any) -> Any:
        table = real(mine, name, **options)
        if others and mine is store:
            other(others.pop())
        return table

    monkeypatch.setattr(Store, "open_table", overtaken)
    given: dict[str, tuple[Any, ...]] = {
        "delete": ("d", ["d/train/a"]),
        "delete_where": ("id = 'd/train/a'",),
        "update": ("id = 'd/train/a'", {"text": "new"}),
        "append": (pa.table({"id": ["d/train/a"], "dataset": ["d"], "text": ["new"], "pitch": [1.0]}),),
    }
    options = {"merge_schema": True} if change == "append" else {}
    getattr(store, change)("samples", *given[change], **options)
    assert others == []
    a = {"update": ["new"], "append": [None, "new"]}.get(change, [])
    b = [] if other is take_b_away else [None]
    for name, texts in (("a", a), ("b", b)):
        rows = select(store, f"select text from samples where id = 'd/train/{name}' order by text nulls first")
        assert [row["text"] for row in rows] == texts


@pytest.mark.usefixtures("views_written")
def test_an_open_duckdb_client_disturbs_no_writer(store: Store, tone: Tone) -> None:
    ingest(store, "d", [clip("a", tone())])
    code = "import duckdb, sys, time; c = duckdb.connect(sys.argv[1]); print(1, flush=True); time.sleep(60)"
    client = subprocess.Popen(
        [sys.executable, "-c", code, str(store.root / "store.duckdb")], stdout=subprocess.PIPE, text=True
    )
    try:
        assert client.stdout is not None
        assert client.stdout.readline() == "1\n"
        ingest(store, "d", [clip("b", tone(300))])
    finally:
        client.kill()
        client.wait()
    assert one(store, "select count(*) from samples") == 2


@pytest.mark.usefixtures("views_written")
def test_plain_duckdb_reads_the_file_from_another_folder(
    store: Store, tone: Tone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ingest(store, "d", [clip("a", tone(), text="hello")])
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    with duckdb.connect(str(store.root / "store.duckdb"), read_only=True) as client:
        assert client.execute("select id, text, audio.codec from samples").fetchall() == [
            ("d/train/a", "hello", "flac")
        ]


def test_a_dataset_called_2024_stays_text(store: Store, tone: Tone) -> None:
    ingest(store, "2024", [clip("a", tone())])
    assert store.datasets() == ["2024"]
    assert one(store, "select typeof(dataset) from samples") == "VARCHAR"
    ingest(store, "2024-x", [clip("a", tone())])
    assert one(store, "select count(*) from samples where dataset = '2024'") == 1


# ---- a team's permissions


@pytest.mark.parametrize(("umask", "folders", "files"), [(0o002, 0o775, 0o664), (0o077, 0o700, 0o600)])
@pytest.mark.usefixtures("views_written")
def test_permissions_follow_the_umask(tmp_path: Path, tone: Tone, umask: int, folders: int, files: int) -> None:
    old = os.umask(umask)
    try:
        store = Store.create(tmp_path / "store")
        spooled = tmp_path / "in.flac"
        spooled.write_bytes(tone(500))
        moved = Candidate("b", "train", {}, [("audio", Blob("b", path=spooled, temporary=True))])
        ingest(store, "d", [clip("a", tone(), text="x"), moved])
        triptych.export("unified", store=store.root)
    finally:
        os.umask(old)
    for path in store.root.rglob("*"):
        expected = folders if path.is_dir() else files
        assert stat.S_IMODE(path.stat().st_mode) == expected, path


@pytest.mark.usefixtures("views_written")
def test_a_read_only_store_can_be_queried(store: Store, tone: Tone) -> None:
    ingest(store, "d", [clip("a", tone())])
    for path in [store.root, *store.root.rglob("*")]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    for parent in store.root.parents:
        with suppress(PermissionError):
            parent.chmod(parent.stat().st_mode | 0o055)
    code = f"""
import os
import triptych
from triptych.errors import StoreReadOnly
from triptych.shards.care.care import status
from triptych.shards.store.store import Store

def look():
    store = Store.open({str(store.root)!r})
    rows = triptych.query("select count(*) n from samples", store=store.root).to_pylist()
    return rows, status(store).datasets[0].samples

look()  # everything is imported while root still can
if os.getuid() == 0:
    os.setuid(65534)
print(look())
try:
    Store.open({str(store.root)!r}).refresh()
except StoreReadOnly as error:
    print(error.message)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    said = done.stdout.splitlines()
    assert said[0] == "([{'n': 1}], 1)", done.stderr
    assert "cannot be written by this user" in said[1]


# ---- locks


def test_a_lock_names_its_holder_and_the_waiter_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(lock, "_TELL_AFTER_S", 0.05)
    monkeypatch.setenv("SLURM_JOB_ID", "4711")
    path = tmp_path / "x.lock"
    held, release = threading.Event(), threading.Event()

    def hold() -> None:
        with locked(path, purpose="count sheep"):
            held.set()
            release.wait(20)

    thread = threading.Thread(target=hold)
    thread.start()
    assert held.wait(5)
    assert is_held(path)
    said = read_holder(path)
    assert f"process {os.getpid()} job 4711: count sheep" in said
    assert "@" in said
    with pytest.raises(TriptychError, match="count sheep"), locked(path, purpose="wake", timeout_s=0.2):
        pass
    assert "held by" in caplog.text
    assert "count sheep" in caplog.text
    release.set()
    thread.join()
    assert not is_held(path)


def test_a_lock_is_free_after_an_error_and_after_a_killed_holder(tmp_path: Path) -> None:
    path = tmp_path / "x.lock"
    with pytest.raises(ValueError, match="boom"), locked(path, purpose="fail"):
        raise ValueError("boom")
    assert path.read_text() == ""
    code = f"""
import os, signal
from pathlib import Path
from triptych.shards.store.lock import locked
with locked(Path({str(path)!r}), purpose="die"):
    os.kill(os.getpid(), signal.SIGKILL)
"""
    subprocess.run([sys.executable, "-c", code])
    assert "die" in path.read_text()
    assert not is_held(path)
    with locked(path, purpose="live", timeout_s=1):
        assert "live" in path.read_text()


# ---- media


def test_media_is_written_once_for_equal_bytes_and_named_by_them(store: Store, tone: Tone) -> None:
    ingest(store, "d", [clip("a", tone()), clip("b", tone())])
    ingest(store, "e", [clip("c", tone())])
    [file] = store.media.files()
    assert Counter(row["path"] for row in select(store, "select audio.path path from samples")) == {
        file.relative_to(store.root).as_posix(): 3
    }
    check_media(store)


def test_a_media_file_of_the_wrong_size_is_not_trusted(store: Store, tone: Tone) -> None:
    ingest(store, "d", [clip("a", tone())])
    [file] = store.media.files()
    file.write_bytes(b"cut")
    ingest(store, "e", [clip("a", tone())])
    assert file.read_bytes() == tone()


def test_what_a_killed_creation_left_goes_with_the_next(tmp_path: Path) -> None:
    left = [tmp_path / name for name in (".lock", ".probe", ".probe-link")]
    for path in left:
        path.write_bytes(b"x")
    Store.create(tmp_path)
    assert [path.name for path in left if path.exists()] == [".lock"]
