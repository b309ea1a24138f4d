"""The rows of an Arrow batch as Python values, maps as objects.

A map may hold a key twice, which no object can: in such a row maps stay lists of pairs, so that no value is lost.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from ....shards.exports.rows import json_columns
from ....shards.json_objects import parse

if TYPE_CHECKING:
    import pyarrow as pa


def python_rows(batch: pa.RecordBatch) -> list[dict[str, Any]]:
    """Column -> value for each row; a text in a column of JSON as the value that it holds."""
    documents = json_columns(batch.schema)
    try:
        found: list[dict[str, Any]] = batch.to_pylist(maps_as_pydicts="strict")
    except KeyError:
        if batch.num_rows == 1:
            return batch.to_pylist()  # type: ignore[no-any-return]
        return [row for number in range(batch.num_rows) for row in python_rows(batch.slice(number, 1))]
    for row in found:
        for name in documents:
            if row[name] is not None:
                with suppress(ValueError):  # invalid JSON, or a key with two values, stays a text
                    row[name] = parse(row[name])
    return found
