"""The rows of a version, in batches, in the order of its files or another."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ....shards.store.database import session
from ....shards.store.sql import quote

BATCH_ROWS = 2048


def read_rows(parquet: Path) -> Iterator[dict[str, Any]]:
    """Yield the rows in the order of the file, without their null columns."""
    import pyarrow.parquet as pq

    with pq.ParquetFile(parquet) as file:
        for batch in file.iter_batches(batch_size=BATCH_ROWS):
            for row in batch.to_pylist(maps_as_pydicts="strict"):
                yield {name: value for name, value in row.items() if value is not None}


def selected(parquet: Path, select: str) -> Iterator[tuple[Any, ...]]:
    """Yield the rows of a SELECT over the relation `rows`; sorting spills to disk what does not fit in memory."""
    with session() as connection:
        connection.execute(f"CREATE VIEW rows AS SELECT * FROM read_parquet({quote(str(parquet))})")
        result = connection.execute(select)
        while batch := result.fetchmany(BATCH_ROWS):
            yield from batch
