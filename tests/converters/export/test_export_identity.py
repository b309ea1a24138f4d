"""The identity of exports: the same request is the same version, the same rows are the same bytes, for good."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import triptych
from support import imported
from support.forks import fork
from triptych.converters.export.result import ExportResult
from triptych.shards import query

DATA = ("data.jsonl", "data.parquet")


def export(store: Path, **options: Any) -> ExportResult:
    return triptych.export("msswift", store=store, **{"task": "sft"} | options)


def files(path: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in sorted(path.iterdir())}


def data(result: ExportResult) -> dict[str, bytes]:
    return {name: content for name, content in files(result.version.path).items() if name in DATA}


def ids(result: ExportResult) -> list[str]:
    return [row["id"] for row in imported.read_lines(result.version.data)]


@pytest.fixture(scope="module")
def pattern(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("identity")
    return imported.bring_in(folder / "store", "speech", imported.speech_rows(folder / "in", 10), folder)


@pytest.fixture
def store(pattern: Path, tmp_path: Path) -> Path:
    """Ten utterances."""
    return Path(shutil.copytree(pattern, tmp_path / "store", symlinks=True))


def test_the_same_request_returns_the_same_version_without_rendering(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = export(store, split="train", where="audio.duration < 1")
    before = triptych.query("select count(*) from runs", store=store).to_pylist()
    monkeypatch.delattr("triptych.converters.export.export.make_version")
    again = export(store, split="train", where="audio.duration < 1")
    assert again.reused and not first.reused and again.version.reference == first.version.reference
    assert triptych.query("select count(*) from runs", store=store).to_pylist() == before


def test_another_request_with_the_same_bytes_is_the_same_version(store: Path) -> None:
    first = export(store)
    again = export(store, where="true")
    assert again.reused and again.version.reference == first.version.reference == "msswift-sft@v1"
    assert export(store, where="text <> 'text number 3'").version.reference == "msswift-sft@v2"


def test_another_option_is_another_version(store: Path) -> None:
    export(store)
    options: list[dict[str, Any]] = [
        {"seed": 1}, {"order": "id"}, {"system": "x"}, {"media_root": "/m"}, {"user_template": "{prompt}!"}
    ]  # fmt: skip
    assert [export(store, **each).version.label for each in options] == ["v2", "v3", "v4", "v5", "v6"]


def test_new_samples_annotations_and_verdicts_make_a_new_version_and_leave_the_old(store: Path, tmp_path: Path) -> None:
    kept = {1: files(export(store).version.path)}
    triptych.annotate("speech/train/utt000", "text", "corrected", store=store)
    kept[2] = files(export(store).version.path)
    imported.bring_in(store, "speech", imported.speech_rows(tmp_path / "in", 2, start=20), tmp_path)
    kept[3] = files(export(store).version.path)
    for number, before in kept.items():
        assert files(store / f"exports/msswift-sft/v{number}") == before
    assert len({before["data.jsonl"] for before in kept.values()}) == 3


def test_samples_of_another_dataset_leave_an_export_as_it_was(store: Path, tmp_path: Path) -> None:
    first = export(store, dataset="speech")
    imported.bring_in(store, "other", imported.speech_rows(tmp_path / "other", 2), tmp_path)
    assert export(store, dataset="speech").version.reference == first.version.reference
    assert export(store).version.label == "v2"


def test_hash_order_mixes_and_stays_when_rows_are_added(store: Path, tmp_path: Path) -> None:
    before = ids(export(store))
    assert before == sorted(before, key=lambda id_: hashlib.sha256(f"0:{id_}".encode()).digest()) != sorted(before)
    imported.bring_in(store, "speech", imported.speech_rows(tmp_path / "in", 10, start=10), tmp_path)
    after = ids(export(store))
    assert len(after) == 20 and [each for each in after if each in before] == before
    assert sorted(ids(export(store, seed=7))) == sorted(after) and ids(export(store, seed=7)) != after


def test_order_and_bytes_do_not_depend_on_the_order_of_arrival(tmp_path: Path) -> None:
    given = imported.speech_rows(tmp_path / "in", 10)
    stores = []
    for name, parts in (("one", [given]), ("two", [given[5:][::-1], given[:5]])):
        for number, part in enumerate(parts):
            place = imported.bring_in(tmp_path / name, "speech", part, tmp_path / f"{name}{number}")
        stores.append(place)
    first, second = (export(place, media_root="/media/root") for place in stores)
    assert data(first) == data(second)


def test_bytes_do_not_depend_on_threads_or_on_the_store_s_path(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = export(store, media_root="/media/root")
    elsewhere = tmp_path / "a path: with 'odd' #*{signs} 你好" / "store"
    shutil.copytree(store, elsewhere, symlinks=True)
    shutil.rmtree(elsewhere / "exports")
    close = query.close_sandbox

    def with_one_thread(connection: Any, root: Path) -> None:
        connection.execute("SET threads = 1")
        close(connection, root)

    monkeypatch.setattr("triptych.converters.export.export.close_sandbox", with_one_thread)
    second = export(elsewhere, media_root="/media/root")
    assert not second.reused and data(first) == data(second)


@pytest.mark.parametrize("sign", list("%?[]^|\\"))
def test_a_path_that_tables_cannot_lie_under_is_refused(tmp_path: Path, sign: str) -> None:
    with pytest.raises(triptych.UsageError, match="the path of a store cannot contain"):
        imported.bring_in(tmp_path / f"a{sign}b", "speech", [], tmp_path)


def test_the_content_sum_is_the_same_under_every_media_root(store: Path) -> None:
    sums = {
        export(store, media_root=root, name=f"root{n}").version.manifest["content_sha256"]
        for n, root in enumerate([None, "/m", '/a/much longer/\u00fcml\u00e4ut "root"', "/m/"])
    }
    assert len(sums) == 1
    assert export(store, where="text like '%1'").version.manifest["content_sha256"] not in sums


SCRIPT = """
import sys, triptych
store, number = sys.argv[1:]
for turn in range(3):
    result = triptych.export("msswift", task="sft", store=store, system=f"writer {number} turn {turn}", name="shared")
    assert not result.reused
    print(result.version.label, result.version.manifest["options"]["system"], sep="\\t")
"""


def test_two_processes_publish_the_same_name_and_nothing_is_lost(store: Path) -> None:
    running = [fork(SCRIPT, "script", str(store), str(n)) for n in range(2)]
    said = [line.split("\t") for process in running for line in process.communicate(timeout=120)[0].splitlines()]
    assert all(process.returncode == 0 for process in running)
    assert sorted(label for label, _ in said) == [f"v{n}" for n in range(1, 7)]
    for label, system in said:
        version = triptych.open_export(f"shared@{label}", store=store).version
        assert version.manifest["options"]["system"] == system
        first = next(imported.read_lines(version.data))
        assert first["messages"][0] == {"role": "system", "content": system}


def test_two_processes_with_the_same_request_make_one_version(store: Path) -> None:
    code = 'import sys, triptych; print(triptych.export("msswift", task="sft", store=sys.argv[1]).version.label)'
    running = [fork(code, "script", str(store)) for _ in range(2)]
    assert [process.communicate(timeout=120)[0].strip() for process in running] == ["v1", "v1"]
    assert not (store / "exports/msswift-sft/v2").exists()


KILLED = """
import os, signal, sys, triptych
from triptych.shards.exports import versions
versions.write_json = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
triptych.export("msswift", task="sft", store=sys.argv[1])
"""


CURSOR = """
import sys
from triptych.shards.store.store import Store
from triptych.converters.export.identity import StoreSnapshot
with StoreSnapshot.of(Store.open(sys.argv[1])) as snapshot:
    print(snapshot.connection.cursor().execute("SELECT TIMESTAMPTZ '2026-01-01 20:00:00+00'::DATE").fetchone()[0])
"""


def test_times_are_in_utc_in_every_cursor_of_an_export_wherever_the_machine_is(pattern: Path) -> None:
    """Media is cut by a cursor: with the machine's zone, `--where` would mean other samples there than of the rows."""
    environment = os.environ | {"TZ": "Asia/Tokyo"}
    done = subprocess.run([sys.executable, "-c", CURSOR, pattern], capture_output=True, text=True, env=environment)
    assert done.stdout == "2026-01-01\n", done.stderr


def test_a_killed_publish_leaves_no_version_and_the_next_one_is_whole(store: Path) -> None:
    assert fork(KILLED, "script", str(store)).wait(timeout=120) == -signal.SIGKILL
    folder = store / "exports/msswift-sft"
    left = [path for path in folder.iterdir() if path.name.startswith(".scratch")]
    assert left and not list(folder.glob("v*"))
    for path in left:
        os.utime(path, (0, 0))
    result = export(store)
    assert result.version.label == "v1" and len(ids(result)) == 10
    assert not list(folder.glob(".scratch*"))


def test_a_trainer_reads_a_version_and_refuses_a_changed_one(store: Path) -> None:
    result = export(store)
    reader = triptych.open_export("msswift-sft", store=store)
    assert (len(reader), list(reader.rows())) == (10, list(imported.read_lines(result.version.data)))
    assert reader.content_sha256 == result.version.manifest["content_sha256"]
    assert reader.dataset().num_rows == 10
    manifest = json.loads((result.version.path / "manifest.json").read_text())
    assert reader.content_sha256 == manifest["content_sha256"]
    result.version.data.write_bytes(result.version.data.read_bytes() + b"\n")
    with pytest.raises(triptych.DamagedError, match="changed since it was published"):
        triptych.open_export("msswift-sft", store=store)
