"""Versions made again from their manifest, collected because they can be, pushed to a hub, opened, and queried."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import datasets
import pytest
import triptych
from support.hub import Hub, hub
from support.imported import bring_in, read_lines, speech_rows
from support.stores import cli, cli_json
from triptych.errors import DamagedError, GateError, NetworkError, UsageError
from triptych.shards.exports.versions import Version


def bytes_of(version: Version) -> dict[str, str]:
    return {
        name: hashlib.sha256((version.path / name).read_bytes()).hexdigest()
        for name in version.manifest["files"]
        if (version.path / name).is_file()
    }


@pytest.fixture(scope="module")
def pattern(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("again")
    return bring_in(folder / "store", "talks", speech_rows(folder / "raw", 5), folder)


@pytest.fixture
def store(pattern: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(pattern, tmp_path / "store", symlinks=True))


def grow(store: Path, tmp_path: Path) -> None:
    bring_in(store, "talks", speech_rows(tmp_path / "more", 3, start=5), tmp_path)


# ---- rebuild


def test_a_lost_file_is_made_again_though_the_store_has_grown(store: Path, tmp_path: Path) -> None:
    version = triptych.export("msswift", task="sft", store=store).version
    before = bytes_of(version)
    grow(store, tmp_path)
    triptych.annotate("talks/train/utt000", "text", "another text", store=store)
    (version.path / "data.jsonl").unlink()
    (version.path / "data.parquet").write_bytes(b"damaged")
    result = triptych.exports.rebuild(version.reference, store=store)
    assert (result.restored, result.differs) == (["data.jsonl", "data.parquet"], [])
    assert bytes_of(version) == before
    assert triptych.exports.verify(version.reference, store=store) == {version.reference: []}
    again = triptych.exports.rebuild(version.reference, store=store)
    assert (again.restored, sorted(again.same)) == ([], sorted(before))


def test_a_view_of_a_user_is_made_again_from_its_own_copy(store: Path, tmp_path: Path) -> None:
    view = tmp_path / "plain.sql"
    view.write_text("SELECT id, text FROM prepared", encoding="utf-8")
    version = triptych.export(view, where="text LIKE '%2'", store=store).version
    view.write_text("SELECT id, upper(text) AS text FROM prepared", encoding="utf-8")
    (version.path / "data.jsonl").unlink()
    assert triptych.exports.rebuild(version.reference, store=store).restored == ["data.jsonl"]
    assert [row["text"] for row in read_lines(version.data)] == ["text number 2"]


def test_rows_of_removed_samples_do_not_come_back(store: Path) -> None:
    version = triptych.export("unified", store=store).version
    triptych.store.remove(where="id = 'talks/train/utt001'", store=store)
    (version.path / "data.jsonl").unlink()
    with pytest.raises(UsageError, match="1 of its rows are of samples that were removed since"):
        triptych.exports.rebuild(version.reference, store=store)
    assert not (version.path / "data.jsonl").exists()


def test_a_version_of_another_revision_of_the_view_is_refused(store: Path) -> None:
    version = triptych.export("unified", store=store).version
    manifest = version.path / "manifest.json"
    manifest.write_text(json.dumps(version.manifest | {"view_revision": "0"}), encoding="utf-8")
    with pytest.raises(UsageError, match=f"has the revision {version.manifest['view_revision']}, and it had 0"):
        triptych.exports.rebuild(version.reference, store=store)


def test_what_differs_is_named_and_not_put_in_place(store: Path) -> None:
    version = triptych.export("unified", store=store).version
    manifest = version.path / "manifest.json"
    changed = version.manifest | {"seed": 7, "order": "hash"}
    manifest.write_text(json.dumps(changed), encoding="utf-8")
    (version.path / "data.jsonl").unlink()
    made = cli("exports", "rebuild", version.reference, "--store", store)
    assert made.returncode == 4 and "differ from what was published" in made.stdout
    assert not (version.path / "data.jsonl").exists()


# ---- gc


def test_old_versions_are_collected_and_come_back(store: Path, tmp_path: Path) -> None:
    first = triptych.export("unified", store=store).version
    before = bytes_of(first)
    triptych.exports.relocate(first.reference, "/elsewhere", store=store)
    grow(store, tmp_path)
    triptych.export("unified", store=store)
    assert cli_json("exports", "gc", "--store", store, "--json")["versions"] == {}  # too young
    planned = triptych.exports.gc(older_than_days=0, dry_run=True, store=store)
    assert bytes_of(first) == before and len(planned.versions) == 2
    collected = triptych.exports.gc(older_than_days=0, store=store)
    assert collected.versions == planned.versions and collected.bytes > 0
    assert {path.name for path in first.path.iterdir()} == {"manifest.json", "NOTICE"}
    assert [version.label for version in triptych.exports.list(store=store)] == ["v1", "v2"]
    assert triptych.exports.verify(store=store) == {"unified@v1": [], "unified@v2": []}
    with pytest.raises(UsageError, match="its rows were deleted at"):
        triptych.exports.path("unified@v1", store=store)
    triptych.exports.rebuild("unified@v1", store=store)
    assert bytes_of(first) == before
    assert triptych.exports.path("unified@v1", store=store).is_file()


def test_a_version_that_cannot_be_made_again_stays(store: Path, tmp_path: Path) -> None:
    version = triptych.export("unified", store=store).version
    grow(store, tmp_path)
    triptych.export("unified", store=store)
    manifest = version.path / "manifest.json"
    manifest.write_text(json.dumps(version.manifest | {"view_revision": "0"}), encoding="utf-8")
    collected = triptych.exports.gc(older_than_days=0, store=store)
    assert not collected.versions and "revision" in collected.kept["unified@v1"]
    assert version.data.is_file()


def test_a_version_with_rows_of_removed_samples_stays_and_a_purge_names_those_it_ends(
    store: Path, tmp_path: Path
) -> None:
    version = triptych.export("unified", store=store).version
    grow(store, tmp_path)
    triptych.export("unified", store=store)
    where = "id = 'talks/train/utt001'"
    triptych.store.remove(where=where, store=store)
    collected = triptych.exports.gc(older_than_days=0, store=store)
    assert not collected.versions and version.data.is_file()
    assert "1 of its rows are of samples that were removed since" in collected.kept["unified@v1"]
    triptych.store.restore("talks", store=store)
    assert triptych.exports.gc(older_than_days=0, store=store).versions.keys() == {"unified@v1"}
    for dry_run, said in ((True, "could no longer be made again"), (False, "can no longer be made again")):
        options = ["--dry-run"] if dry_run else []
        done = cli("store", "remove", "--where", where, "--purge", *options, "--store", store)
        assert f"unified@v1 has no rows (exports gc), and {said}" in done.stdout
    with pytest.raises(UsageError, match="unified@v1 cannot be made again"):
        triptych.exports.rebuild("unified@v1", store=store)


def test_an_equal_export_brings_a_collected_last_version_back(store: Path) -> None:
    version = triptych.export("unified", store=store).version
    before = bytes_of(version)
    triptych.exports.gc(keep=0, older_than_days=0, store=store)
    assert not version.data.exists()
    assert triptych.export("unified", store=store).version.reference == "unified@v1"
    assert bytes_of(version) == before


# ---- open


def test_an_export_opens_in_every_form(store: Path) -> None:
    triptych.export("msswift", task="sft", store=store)
    texts = {f"text number {n}" for n in range(5)}
    opened = triptych.exports.open("msswift-sft", store=store)
    assert isinstance(opened, datasets.Dataset)
    assert {row["messages"][-1]["content"] for row in opened} == texts
    table = triptych.exports.open("msswift-sft", "arrow", store=store)
    assert table.num_rows == 5
    frame = triptych.exports.open("msswift-sft", "polars", store=store)
    assert frame.height == 5 and frame.columns == table.column_names
    rows = triptych.exports.open("msswift-sft", "torch", store=store)
    assert len(rows) == 5 and set(rows[0]) == {"id", "messages", "audios"}
    with pytest.raises(UsageError, match="cannot be opened as 'numpy'"):
        triptych.exports.open("msswift-sft", "numpy", store=store)  # type: ignore[call-overload]
    shutil.rmtree(store / "media")
    with pytest.raises(DamagedError, match="missing, but named in the export"):
        triptych.exports.open("msswift-sft", store=store)


# ---- push


@pytest.fixture
def pushed_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    folder = tmp_path / "hub"
    folder.mkdir()
    with hub(folder) as server:
        server.writer = "hf_writer"
        monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", server.url().rstrip("/"))
        monkeypatch.setattr("huggingface_hub.hf_api.constants.ENDPOINT", server.url().rstrip("/"))
        monkeypatch.setenv("HF_TOKEN", "hf_writer")
        yield server


def test_a_push_is_a_repository_that_datasets_loads(store: Path, pushed_to: Hub, tmp_path: Path) -> None:
    version = triptych.export("unified", store=store).version
    with pytest.raises(UsageError, match="name 5 media files of this machine"):
        triptych.exports.push(version.reference, "me/talks", store=store)
    pushed = triptych.exports.push(version.reference, "me/talks", media=True, store=store)
    assert (pushed.media, pushed_to.private["me/talks"]) == (5, True)
    repo = pushed_to.folder / "me" / "talks"
    rows = list(read_lines(repo / "data.jsonl"))
    assert all((repo / row["audio"]).is_file() and row["audio"].startswith("./media/") for row in rows)
    assert "unknown | 5 |" in (repo / "README.md").read_text(encoding="utf-8")
    loaded = datasets.load_dataset(str(repo), cache_dir=str(tmp_path / "cache"), split="train")
    assert sorted(loaded["text"]) == [f"text number {n}" for n in range(5)]

    (repo / "stale.txt").write_text("of an earlier push", encoding="utf-8")
    triptych.exports.push(version.reference, "me/talks", media=True, store=store)
    assert not (repo / "stale.txt").exists()


def test_a_push_without_leave_says_so(store: Path, pushed_to: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    triptych.export("unified", store=store)
    monkeypatch.setenv("HF_TOKEN", "hf_other")
    with pytest.raises(GateError, match="refuses to write to me/talks"):
        triptych.exports.push("unified", "me/talks", media=True, store=store)
    assert not (pushed_to.folder / "me").exists()
    assert cli("exports", "push", "unified", "not a name", "--media", "--store", store).returncode == 2


@pytest.mark.parametrize("parts", [None, 1000])
def test_large_files_are_uploaded_by_lfs_and_committed_with_the_others(
    store: Path, pushed_to: Hub, monkeypatch: pytest.MonkeyPatch, parts: int | None
) -> None:
    pushed_to.lfs_above, pushed_to.lfs_parts = 2000, parts
    version = triptych.export("unified", store=store).version
    with pytest.raises(NetworkError, match=r"large file could not be uploaded to me/talks: .*xet-write-token"):
        triptych.exports.push(version.reference, "me/talks", media=True, store=store)  # a hub without Xet
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_XET", True)
    triptych.exports.push(version.reference, "me/talks", media=True, store=store)
    repo = pushed_to.folder / "me" / "talks"
    large = [path for path in repo.rglob("*") if path.stat().st_size > 2000 and path.is_file()]
    assert len(large) >= 5 and len(pushed_to.blobs) == len(large)
    for path in repo.rglob("media/*/*"):
        assert path.is_dir() or hashlib.sha256(path.read_bytes()).hexdigest() == path.stem

    pushed_to.lfs_limit = 2500
    with pytest.raises(NetworkError, match=r"could not be uploaded to me/others: .*too large"):
        triptych.exports.push(version.reference, "me/others", media=True, store=store)
    assert not list((pushed_to.folder / "me" / "others").iterdir())


# ---- queries


@pytest.mark.usefixtures("views_written")
def test_versions_are_views_for_queries_and_for_the_plain_client(store: Path, tmp_path: Path) -> None:
    import duckdb

    triptych.export("unified", store=store)
    grow(store, tmp_path)
    triptych.export("unified", store=store)
    sql = """SELECT count(*) AS n FROM exports."unified@v1" e JOIN samples s ON s.id = e.id WHERE s.split = 'train'"""
    assert triptych.query(sql, store=store).to_pylist() == [{"n": 4}]
    listed = triptych.query("SELECT reference, rows FROM exports.versions ORDER BY 1", store=store).to_pylist()
    assert listed == [{"reference": "unified@v1", "rows": 5}, {"reference": "unified@v2", "rows": 8}]
    with duckdb.connect(str(store / "store.duckdb"), read_only=True) as client:
        assert client.sql('SELECT count(*) FROM exports."unified"').fetchall() == [(8,)]
        assert client.sql("SELECT count(*) FROM exports.versions WHERE withdrawn").fetchall() == [(0,)]


@pytest.mark.usefixtures("views_written")
def test_a_damaged_version_has_no_view_and_stops_nothing(store: Path, tmp_path: Path) -> None:
    import duckdb

    version = triptych.export("unified", store=store).version
    triptych.export("unified", store=store, name="whole")
    (version.path / "data.parquet").write_bytes(b"x" * (version.path / "data.parquet").stat().st_size)
    grow(store, tmp_path)
    with pytest.raises(UsageError, match="unified"):
        triptych.query('SELECT * FROM exports."unified@v1"', store=store)
    assert triptych.query("SELECT rows FROM exports.versions", store=store).to_pylist() == [{"rows": 5}] * 2
    with duckdb.connect(str(store / "store.duckdb"), read_only=True) as client:
        assert client.sql('SELECT count(*) FROM exports."whole"').fetchall() == [(5,)]
