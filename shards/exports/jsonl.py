"""Rows of an export as JSON Lines, written from its Parquet file and hashed on the way."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..store.sql import identifier, quote
from .media_places import without_root

if TYPE_CHECKING:
    import duckdb

LOSS_COLUMNS = ("messages", "conversations")
"""Columns of turns, which have `loss` and `loss_scale` if any turn of the file has."""
_LINES = 2048
"""As many as DuckDB makes at once."""
_SPARSE = {**dict.fromkeys(LOSS_COLUMNS, "loss BOOLEAN, loss_scale DOUBLE"), "objects": "bbox DOUBLE[][]"}
"""Columns of our own rows with members that most values lack -> what their type contains."""


@dataclass(frozen=True, slots=True)
class WrittenRows:
    """The size and SHA-256 of rows as they were written, and their SHA-256 with the media root replaced by `$MEDIA`."""

    size: int
    sha256: str
    content_sha256: str


def write_jsonl(connection: duckdb.DuckDBPyConnection, parquet: Path, jsonl: Path, *, media_root: str) -> WrittenRows:
    """Write the rows of `parquet` as JSON Lines, in order, with the same columns."""
    size, whole, content = 0, hashlib.sha256(), hashlib.sha256()
    with jsonl.open("wb") as file:
        for block in jsonl_blocks(connection, parquet):
            file.write(block)
            size += len(block)
            whole.update(block)
            content.update(without_root(block, media_root))
    return WrittenRows(size, whole.hexdigest(), content.hexdigest())


def jsonl_blocks(connection: duckdb.DuckDBPyConnection, parquet: Path, *, where: str = "true") -> Iterator[bytes]:
    """Yield whole lines of JSON, many at a time, while they are made.

    Lines are those of `COPY ... (FORMAT json)`, which takes longer, and whose file would be read again to be hashed.

    Args:
        where: SQL for the rows to write; default: all.
    """
    source = f"read_parquet({quote(str(parquet))})"
    types = {str(row[0]): str(row[1]) for row in connection.execute(f"DESCRIBE FROM {source}").fetchall()}
    replaced = [f"{_without_nulls(name, types[name])} AS {identifier(name)}" for name in sparse_columns(types)]
    columns = f"* REPLACE ({', '.join(replaced)})" if replaced else "*"
    found = connection.execute(
        f"SELECT encode(to_json(_row)::VARCHAR) FROM (SELECT {columns} FROM {source} WHERE {where}) _row"
    )
    while rows := found.fetchmany(_LINES):
        yield b"\n".join([line for (line,) in rows]) + b"\n"


def sparse_columns(types: Mapping[str, str]) -> list[str]:
    """Return the columns whose members, where null, JSON leaves out: most messages have no `loss`.

    Args:
        types: Column name -> DuckDB type.
    """
    return [name for name, type_ in types.items() if name in _SPARSE and _SPARSE[name] in type_]


def _without_nulls(name: str, type_: str) -> str:
    if type_.endswith("[]"):
        return f"[json_merge_patch('{{}}', to_json(x)) FOR x IN {identifier(name)}]"
    column = identifier(name)
    return f"CASE WHEN {column} IS NOT NULL THEN json_merge_patch('{{}}', to_json({column})) END"
