"""What the table of events says of a dataset already: written once, and what was withdrawn stays away."""

from __future__ import annotations

from ..shards.query import scan
from ..shards.store import Store, quote


def read_ledger(store: Store, dataset: str) -> set[int]:
    """Hashes of the (candidate, reason) pairs that the ledger of pulls holds already."""
    rows = _read_events(store, f"dataset = {quote(dataset)} AND stage IN ('pull', 'import')")
    return {hash(row) for row in rows}


def read_withdrawn(store: Store, dataset: str) -> set[str]:
    rows = _read_events(store, f"dataset = {quote(dataset)} AND stage = 'remove'")
    return {candidate for candidate, _ in rows}


def _read_events(store: Store, where: str) -> list[tuple[str, str]]:
    if not store.live_files("events"):
        return []
    import duckdb

    with duckdb.connect(":memory:") as connection:
        sql = f"SELECT candidate, reason FROM ({scan(store, 'events')}) WHERE {where}"
        return [(str(candidate), str(reason)) for candidate, reason in connection.execute(sql).fetchall()]
