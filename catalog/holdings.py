"""What a store holds of a dataset already."""

from __future__ import annotations

from collections.abc import Sequence

from ..shards.query import connect, first_row
from ..shards.store import Store, quote


def held(store: Store, dataset: str, *, splits: Sequence[str] = (), configs: Sequence[str] = ()) -> int:
    """Samples of the dataset, of some splits and configurations of it where these are named."""
    where = f"dataset = {quote(dataset)}"
    if splits:
        where += f" AND split IN ({', '.join(map(quote, splits))})"
    if configs:
        where += f" AND config IN ({', '.join(map(quote, configs))})"
    with connect(store, named_in="samples_as_pulled") as connection:
        row = first_row(connection, f"SELECT count(*) FROM samples_as_pulled WHERE {where}")
    return int(row[0]) if row else 0


def settled(store: Store, dataset: str, ids: list[str], revision: str) -> bool:
    """Whether the store holds every one of these ids at this revision."""
    with connect(store, named_in="samples_as_pulled") as connection:
        row = first_row(
            connection,
            "SELECT count(*) FROM samples_as_pulled WHERE dataset = $1 AND revision = $2 AND list_contains($3, id)",
            [dataset, revision, ids],
        )
    return bool(row and row[0] == len(set(ids)))
