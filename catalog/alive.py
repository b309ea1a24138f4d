"""How much of a dataset whose media is fetched clip by clip could still be had when it was asked for."""

from __future__ import annotations

from typing import Any

from ..shards.query import connect, scan
from ..shards.store import Store, quote
from .holdings import held


def alive(store: Store, dataset: str) -> dict[str, Any] | None:
    """`tried`, `stored`, `share` of the ids that were asked for, and `lost` by reason; None where nobody asked.

    An id that failed once and came later counts as stored.
    """
    if not store.live_files("events"):
        return None
    with connect(store, named_in="events samples_as_pulled") as connection:
        rows = connection.execute(
            f"SELECT reason, count(DISTINCT candidate) FROM ({scan(store, 'events')}) "
            f"WHERE dataset = {quote(dataset)} AND stage = 'pull' AND candidate NOT IN "
            f"(SELECT id FROM samples_as_pulled WHERE dataset = {quote(dataset)}) GROUP BY 1 ORDER BY 2 DESC, 1"
        ).fetchall()
    lost = {str(reason): int(count) for reason, count in rows}
    if not lost:
        return None
    stored = held(store, dataset)
    tried = stored + sum(lost.values())
    return {"tried": tried, "stored": stored, "share": stored / tried, "lost": lost}
