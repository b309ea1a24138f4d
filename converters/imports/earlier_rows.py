"""Rows stored from the same input earlier: those that are no longer in it, and values that annotations override.

A stored row belongs to the input if its `source` is the imported file, or lies in the imported folder or archive;
`--sync` of another file that has the row now makes it one of that file. One that is no longer in the input is named;
`--sync` takes it out of the store. It leaves no tombstone: a line that comes back to the file is imported again.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ...shards.care.facts import delete_facts
from ...shards.events import Run
from ...shards.hash_sets import HashSet
from ...shards.query import connect
from ...shards.store.annotations import KNOWN_KEYS, LATEST
from ...shards.store.commits import until_committed
from ...shards.store.sql import identifier, quote
from ...shards.store.store import Store
from ..ingest.event_log import EventLog
from ..ingest.stored_ids import fence_name

GONE = "not_in_input"
_DETAIL = "no longer in the input; taken out by `import --sync`"
_SHOWN = 3
_CHUNK = 20_000
_BATCH = 100_000


def find_gone(store: Store, run: Run, paths: Sequence[Path], seen: HashSet) -> list[str]:
    """Return the ids of rows stored before a run from these files or folders, and not seen in them now."""
    roots = [path.as_uri() for path in paths]
    inside = "IN ('/', '!', '#', '?')"
    belongs = " OR ".join(
        f"source = {quote(root)} OR (starts_with(source, {quote(root)}) AND source[{len(root) + 1}] {inside})"
        for root in roots
    )
    gone: list[str] = []
    with connect(store, named_in="samples_as_pulled") as connection:
        reader = connection.sql(
            f"SELECT id FROM samples_as_pulled WHERE dataset = {quote(run.dataset)} AND ({belongs}) "
            f"AND pulled_at < {quote(run.started_at.isoformat())}::TIMESTAMPTZ ORDER BY id"
        ).to_arrow_reader(_BATCH)
        for batch in reader:
            gone += [name for name in batch.column("id").to_pylist() if hash(name) not in seen]
    return gone


def take_out(store: Store, run: Run, ids: Sequence[str]) -> None:
    """Delete rows and what is known of them; each leaves an event, no tombstone."""
    dataset = run.dataset
    events = EventLog(store, run)
    for start in range(0, len(ids), _CHUNK):
        chunk = ids[start : start + _CHUNK]
        with store.dataset_lock(dataset, "take out rows"):
            for identity in chunk:
                events.note(identity, GONE, _DETAIL, "")
            events.write()
            until_committed(lambda part=chunk: _delete_samples(store, dataset, part))  # type: ignore[misc]
            delete_facts(store, dataset, chunk)


def _delete_samples(store: Store, dataset: str, ids: Sequence[str]) -> None:
    fence = fence_name(dataset)
    store.delete("samples", dataset, ids, fence=(fence, store.fence_number("samples", fence) + 1))


def find_overridden(store: Store, dataset: str, updated: HashSet) -> list[tuple[str, str]]:
    """Return (id, key) of the updated rows whose new value an annotation overrides."""
    if not len(updated) or not store.has_rows("annotations"):
        return []
    keys = ", ".join(map(quote, KNOWN_KEYS))
    new = " ".join(f"WHEN {quote(key)} THEN s.{identifier(key)}::VARCHAR" for key in KNOWN_KEYS)
    with connect(store) as connection:
        rows = connection.execute(
            f"WITH latest AS (SELECT id, key, {LATEST} AS value FROM annotations "
            f"WHERE dataset = {quote(dataset)} AND key IN ({keys}) GROUP BY id, key HAVING {LATEST} IS NOT NULL) "
            f"SELECT id, key FROM latest JOIN samples_as_pulled s USING (id) WHERE s.dataset = {quote(dataset)} "
            f"AND value IS DISTINCT FROM CASE key {new} END ORDER BY ALL"
        ).fetchall()
    return [(identity, key) for identity, key in rows if hash(identity) in updated]


def shown(names: Sequence[str]) -> str:
    """The first few names, and how many more there are."""
    more = f" and {len(names) - _SHOWN:,} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
