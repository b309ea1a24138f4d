"""A process opens a table once for each state of its log, whoever asks."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import deltalake
import pyarrow as pa
import pytest
from support.stores import clip, ingest
from triptych.shards.store import table_cache
from triptych.shards.store.store import Store
from triptych.shards.store.tables import EVENTS

Tone = Callable[..., bytes]


def events() -> pa.Table:
    return EVENTS.empty_table()


def test_all_who_read_a_store_share_its_tables_until_it_changes(store: Store, tone: Tone) -> None:
    first = store.table("samples")
    assert Store.open(store.root).table("samples") is first
    ingest(store, "speech", [clip("a", tone())])
    assert first.version() == 0  # whoever holds it still has what it read
    assert Store.open(store.root).table("samples").version() == store.table("samples").version() == 1


def test_the_table_of_a_write_serves_the_next_reader(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    before = store.table("events")
    opened: list[str] = []
    real = deltalake.DeltaTable.__init__
    monkeypatch.setattr(
        deltalake.DeltaTable, "__init__", lambda *args, **options: opened.append(args[1]) or real(*args, **options)
    )
    store.append("events", events())
    assert len(opened) == 1
    assert Store.open(store.root).table("events").version() == before.version() + 1 and len(opened) == 1


def test_what_another_process_wrote_is_read(store: Store) -> None:
    store.append("events", events())
    deltalake.write_deltalake(deltalake.DeltaTable(store.root / "events"), events(), mode="append")
    assert Store.open(store.root).table("events").version() == 2


def test_another_store_in_the_same_place_has_its_own_tables(store: Store, tone: Tone, tmp_path: Path) -> None:
    other = Store.create(tmp_path / "other")
    for each, names in ((store, ["a"]), (other, ["b", "c"])):
        ingest(each, "speech", [clip(name, tone(ord(name))) for name in names])
    before = Store.open(store.root).live_files("samples")
    shutil.rmtree(store.root)
    shutil.move(other.root, store.root)
    after = Store.open(store.root).live_files("samples")
    assert before != after == Store.open(store.root).live_files("samples", version=1)


def test_few_tables_are_kept(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    table_cache.forget_tables()
    monkeypatch.setattr(table_cache, "_MOST", 2)
    opened = [store.table(name) for name in ("samples", "checks", "events")]
    assert Store.open(store.root).table("events") is opened[2]
    assert Store.open(store.root).table("samples") is not opened[0]
