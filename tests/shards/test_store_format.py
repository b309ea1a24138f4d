"""The version of a store's format: named by new stores, kept by old ones, refused where nobody here reads it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import triptych
from support.stores import check_accounts, check_media, cli, clip, ingest, media_files, select
from triptych.errors import DamagedError, UsageError
from triptych.shards.care.care import collect_garbage, status
from triptych.shards.care.removal import remove
from triptych.shards.query import query
from triptych.shards.store.store import Store

pytestmark = pytest.mark.usefixtures("created_anew")
Tone = Callable[..., bytes]


@pytest.fixture
def old_store(tmp_path: Path, tone: Tone) -> Store:
    """A store as it was made before there was a `store.json`: media two folders deep."""
    root = Store.create(tmp_path / "old").root
    (root / "store.json").unlink()
    ingest(Store.open(root), "speech", [clip(f"{n}", tone(200 + n), text=f"text {n}") for n in range(3)])
    return Store.open(root)


def test_a_new_store_names_its_format_and_keeps_media_one_folder_deep(store: Store, tone: Tone) -> None:
    assert json.loads((store.root / "store.json").read_text(encoding="utf-8"))["format"] == 2
    ingest(store, "speech", [clip("a", tone())])
    [path] = media_files(store.root)
    assert path == f"media/{Path(path).stem[:2]}/{Path(path).name}"
    assert [path.name for path in store.media.files()] == [Path(path).name]
    check_media(store)


def test_a_store_without_a_version_keeps_its_own_layout(old_store: Store, tone: Tone) -> None:
    before = media_files(old_store.root)
    assert all(len(Path(path).parts) == 4 for path in before)
    Store.create(old_store.root)
    assert not (old_store.root / "store.json").exists()
    ingest(old_store, "speech", [clip("1", tone(201), text="text 1"), clip("new", tone(300), text="new")])
    after = media_files(old_store.root)
    assert len(after) == 4 and before.items() <= after.items()
    assert all(len(Path(path).parts) == 4 for path in after)
    assert status(old_store).media_files == 4
    check_accounts(old_store)
    check_media(old_store)


def test_the_work_on_a_store_without_a_version_is_the_same(old_store: Store) -> None:
    assert triptych.validate(store=old_store.root)[0].measured == 3
    published = triptych.export("unified", store=old_store.root)
    paths = [json.loads(line)["audio"] for line in (published.version.path / "data.jsonl").read_text().splitlines()]
    assert len(paths) == 3 and all(Path(path).is_file() for path in paths)
    gone = select(old_store, "select id, audio.path as path from samples order by id")[0]
    remove(old_store, where=f"id = '{gone['id']}'", purge=True)
    assert not (old_store.root / gone["path"]).exists()
    assert len(media_files(old_store.root)) == 2


def test_garbage_is_found_in_both_layouts(store: Store, old_store: Store, tone: Tone) -> None:
    for each in (store, old_store):
        unnamed = each.root / each.media.put(tone(999)).fields["path"]
        os.utime(unnamed, (0, 0))
        assert collect_garbage(each).files == [unnamed] and not unnamed.exists()


def test_a_store_of_another_format_is_refused_and_left_alone(store: Store) -> None:
    named = store.root / "store.json"
    named.write_text('{"format": 3}', encoding="utf-8")
    before = sorted(path for path in store.root.rglob("*"))
    for open_it in (Store.open, Store.create, Store):
        with pytest.raises(UsageError, match=r"has store format 3; triptych .* reads formats 1 and 2"):
            open_it(store.root)
    done = cli("query", "select 1", "--store", store.root)
    assert done.returncode == 2
    assert "format 3" in done.stderr and "pip install --upgrade triptych" in done.stderr
    assert sorted(path for path in store.root.rglob("*")) == before


@pytest.mark.parametrize("text", ["", "{", "[]", '{"format": "2"}', '{"format": true}', '{"made": 1}'])
def test_a_version_that_cannot_be_read_is_damage(store: Store, text: str) -> None:
    (store.root / "store.json").write_text(text, encoding="utf-8")
    with pytest.raises(DamagedError, match=r"store\.json has no valid format version"):
        Store.open(store.root)


def test_a_store_that_lost_its_version_is_damaged_and_the_hint_restores_it(store: Store, tone: Tone) -> None:
    ingest(store, "speech", [clip("a", tone())])
    (store.root / "store.json").unlink()
    for open_it in (Store.open, Store.create, Store):
        with pytest.raises(DamagedError, match=r"store\.json is missing"):
            open_it(store.root)
    done = cli("query", "select 1", "--store", store.root)
    assert done.returncode == 4
    assert not (store.root / "store.json").exists()
    command = done.stderr.split("restore it: ")[1].strip()
    subprocess.run(command, shell=True, check=True)
    assert cli("query", "select 1", "--store", store.root).returncode == 0
    ingest(Store.open(store.root), "speech", [clip("b", tone(300))])
    assert all(len(Path(path).parts) == 3 for path in media_files(store.root))


def test_a_folder_that_is_no_store_is_said_to_be_none(tmp_path: Path) -> None:
    (tmp_path / "store.json").write_text('{"format": 9}', encoding="utf-8")
    with pytest.raises(UsageError, match="There is no store"):
        Store.open(tmp_path)
    with pytest.raises(UsageError, match="contains other files"):
        Store.create(tmp_path)


def test_a_store_killed_before_its_first_table_is_made_to_the_end(store: Store) -> None:
    for path in store.root.iterdir():
        if path.name not in (".lock", "store.json"):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    assert query(Store.create(store.root), "select count(*) as n from samples").to_pylist() == [{"n": 0}]
