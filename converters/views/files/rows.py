"""The rows of a version: by a SELECT, and in lists for the shards of a dataset."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from ....shards.store.database import session
from ....shards.store.sql import quote

BATCH_ROWS = 2048
_ROW_BYTES = 1000
"""What a row counts for beside its media, so that a shard of texts ends, too."""


def selected(parquet: Path, select: str) -> Iterator[tuple[Any, ...]]:
    """Yield the rows of a SELECT over the relation `rows`; sorting spills to disk what does not fit in memory."""
    with session() as connection:
        connection.execute(f"CREATE VIEW rows AS SELECT * FROM read_parquet({quote(str(parquet))})")
        result = connection.execute(select)
        while batch := result.fetchmany(BATCH_ROWS):
            yield from batch


def in_shards(rows: Iterable[dict[str, Any]], *, limit: int, media: Iterable[str]) -> Iterator[list[dict[str, Any]]]:
    """Yield the rows in lists whose media together have about `limit` bytes; files are looked at, not read.

    Args:
        media: The columns that name media.
    """
    kinds = tuple(media)
    shard: list[dict[str, Any]] = []
    size = 0
    for row in rows:
        shard.append(row)
        size += _ROW_BYTES + sum(Path(path).stat().st_size for path in paths_of(row, kinds))
        if size >= limit:
            yield shard
            shard, size = [], 0
    if shard:
        yield shard


def paths_of(row: Mapping[str, Any], media: Iterable[str]) -> Iterator[str]:
    """Yield the paths in the media columns of a row."""
    for column in media:
        value = row.get(column)
        yield from value if isinstance(value, list) else [value] if value is not None else []
