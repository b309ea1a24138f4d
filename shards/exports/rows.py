"""The rows of a version as Python values, batch by batch, and which of its columns hold JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa

BATCH_ROWS = 1024


def read_rows(parquet: Path, *, ids: Sequence[str] | None = None) -> Iterator[dict[str, Any]]:
    """Yield the rows in the order of the file, without their null columns; with `ids` only those that have one."""
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    wanted = None if ids is None else pa.array(ids, pa.string())
    with pq.ParquetFile(parquet) as file:
        documents = json_columns(file.schema_arrow)
        for batch in file.iter_batches(batch_size=BATCH_ROWS):
            if wanted is not None:
                batch = batch.filter(pc.is_in(batch.column("id"), value_set=wanted))
            for row in batch.to_pylist():
                yield {
                    name: json.loads(value) if name in documents else value
                    for name, value in row.items()
                    if value is not None
                }


def json_columns(schema: pa.Schema) -> set[str]:
    """Return the columns whose texts are JSON, as DuckDB marks its own and `datasets` reads them."""
    return {field.name for field in schema if str(field.type) == "extension<arrow.json>"}
