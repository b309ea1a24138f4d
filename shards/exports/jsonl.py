"""Rows of an export as JSON Lines, written from its Parquet file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from ..store.sql import identifier, quote

if TYPE_CHECKING:
    import duckdb

LOSS_COLUMNS = ("messages", "conversations")
"""Columns of turns, which have `loss` and `loss_scale` if any turn of the file has."""
_SPARSE = {**dict.fromkeys(LOSS_COLUMNS, "loss BOOLEAN, loss_scale DOUBLE"), "objects": "bbox DOUBLE[][]"}
"""Columns of our own rows with members that most values lack -> what their type contains."""


def write_jsonl(connection: duckdb.DuckDBPyConnection, parquet: Path, jsonl: Path, *, where: str = "true") -> None:
    """Write the rows of `parquet` as JSON Lines, in order, with the same columns.

    Args:
        where: SQL for the rows to write; default: all.
    """
    source = f"read_parquet({quote(str(parquet))})"
    types = {str(row[0]): str(row[1]) for row in connection.execute(f"DESCRIBE FROM {source}").fetchall()}
    replaced = [f"{_without_nulls(name, types[name])} AS {identifier(name)}" for name in sparse_columns(types)]
    columns = f"* REPLACE ({', '.join(replaced)})" if replaced else "*"
    connection.execute(f"COPY (SELECT {columns} FROM {source} WHERE {where}) TO {quote(str(jsonl))} (FORMAT json)")


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
