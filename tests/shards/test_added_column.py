"""A store whose tables an earlier version created: read, extended and written like a new one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest
import triptych
from support.stores import check_accounts, clip, ingest, one, select
from triptych.converters.ingest import ingest as loop
from triptych.shards.care.removal import remove
from triptych.shards.sample import SCHEMA
from triptych.shards.store import store as stores
from triptych.shards.store import tables
from triptych.shards.store.database import session
from triptych.shards.store.store import Store
from triptych.shards.store.views import scan_sql

Tone = Callable[..., bytes]


@pytest.fixture
def old_store(tmp_path: Path, tone: Tone, monkeypatch: pytest.MonkeyPatch) -> Store:
    """Three samples in a table without the column `channel`."""
    earlier = pa.schema([field for field in SCHEMA if field.name != "channel"])
    with monkeypatch.context() as patch:
        patch.setitem(tables.TABLES, "samples", earlier)
        patch.setattr(loop, "SCHEMA", earlier)
        patch.setattr("triptych.converters.ingest.stored_ids.COMPARED", {"content": "text"})
        store = Store.create(tmp_path / "old")
        ingest(store, "speech", [clip(f"{n}", tone(200 + n), text=f"text {n}") for n in range(3)])
    assert "channel" not in {field.name for field in stores.Store.open(store.root).table("samples").schema().fields}
    return Store.open(store.root)


def test_a_column_that_a_table_lacks_is_null(old_store: Store) -> None:
    assert one(old_store, "select count(*) from samples where channel is null") == 3
    assert [row["channel"] for row in select(old_store, "select channel from samples_as_pulled")] == [None] * 3
    assert triptych.validate(store=old_store.root)[0].measured == 3
    assert triptych.export("unified", store=old_store.root).counts["written"] == 3


def test_a_query_reads_only_the_part_of_a_struct_that_it_needs(old_store: Store) -> None:
    sql = scan_sql("samples", old_store.table("samples"))
    with session() as connection:
        (_, plan), *_ = connection.execute(f"EXPLAIN SELECT sum(audio.duration) FROM ({sql})").fetchall()
    assert "audio.duration" in plan and "UNION" not in plan


def test_new_rows_bring_the_column_along_and_their_removal_leaves_it_null(old_store: Store, tone: Tone) -> None:
    again = [clip(f"{n}", tone(200 + n), text=f"text {n}") for n in range(3)]
    run = ingest(old_store, "speech", again)
    assert run.account.dropped == {"duplicate": 3}
    ingest(old_store, "other", [clip("new", tone(300), text="new")])
    assert one(old_store, "select count(*) from samples where channel is null") == 4
    changed = [clip("0", tone(200), text="corrected")]
    assert ingest(old_store, "speech", changed, on_conflict="update").account.kept == 1
    assert one(old_store, "select text from samples where id like '%/0'") == "corrected"
    triptych.annotate([("speech/train/1", "text", "later")], store=old_store.root)
    assert one(old_store, "select channel from samples where text = 'later'") is None
    remove(old_store, dataset="other")
    assert one(old_store, "select count(*) from samples where channel is null") == 3
    check_accounts(old_store)
