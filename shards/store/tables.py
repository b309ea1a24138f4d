"""The six Delta tables of a store and their Arrow schemas.

samples      append-only rows of the sample schema
checks       one row per sample and check-set revision; each check adds its columns on its first write
verdicts     the decisions of the rules, overwritten one dataset at a time
annotations  later facts: (id, key, value, producer, time); the latest wins
events       candidates that were not kept at some stage, and why; one row per candidate, stage and reason
runs         one row per run and stage: command, times, counts, table versions
"""

from __future__ import annotations

from functools import lru_cache

import pyarrow as pa

from ..sample import SCHEMA as SAMPLES

TIME = pa.timestamp("us", tz="UTC")

CHECKS = pa.schema([("id", pa.string()), ("dataset", pa.string()), ("revision", pa.string()), ("measured_at", TIME)])
VERDICTS = pa.schema(
    [
        ("id", pa.string()),
        ("dataset", pa.string()),
        ("rule_set", pa.string()),
        ("verdict", pa.string()),
        ("reasons", pa.list_(pa.string())),
        ("judged_at", TIME),
    ]
)
ANNOTATIONS = pa.schema(
    [
        ("id", pa.string()),
        ("dataset", pa.string()),
        ("key", pa.string()),
        ("value", pa.string()),
        ("producer", pa.string()),
        ("time", TIME),
    ]
)
EVENTS = pa.schema(
    [
        ("dataset", pa.string()),
        ("run_id", pa.string()),
        ("stage", pa.string()),
        ("candidate", pa.string()),
        ("reason", pa.string()),
        ("detail", pa.string()),
        ("uri", pa.string()),
        ("time", TIME),
    ]
)
RUNS = pa.schema(
    [
        ("run_id", pa.string()),
        ("dataset", pa.string()),
        ("stage", pa.string()),
        ("command", pa.string()),
        ("status", pa.string()),
        ("started_at", TIME),
        ("finished_at", TIME),
        ("candidates", pa.int64()),
        ("kept", pa.int64()),
        ("dropped", pa.map_(pa.string(), pa.int64())),
        ("options", pa.string()),
        ("details", pa.string()),
        ("versions", pa.map_(pa.string(), pa.int64())),
        ("software", pa.string()),
        ("user", pa.string()),
        ("host", pa.string()),
    ]
)

TABLES: dict[str, pa.Schema] = {
    "samples": SAMPLES,
    "checks": CHECKS,
    "verdicts": VERDICTS,
    "annotations": ANNOTATIONS,
    "events": EVENTS,
    "runs": RUNS,
}

ALL_DATASETS = "_all"
"""The partition of runs over more than one dataset; no dataset can have this name."""


@lru_cache(maxsize=256)
def duckdb_type(type_: pa.DataType) -> str:
    """Return the DuckDB type of an Arrow type, as SQL."""
    if pa.types.is_struct(type_):
        return "STRUCT(" + ", ".join(f'"{f.name}" {duckdb_type(f.type)}' for f in type_) + ")"
    if pa.types.is_list(type_) or pa.types.is_large_list(type_):
        return duckdb_type(type_.value_type) + "[]"
    if pa.types.is_map(type_):
        return f"MAP({duckdb_type(type_.key_type)}, {duckdb_type(type_.item_type)})"
    simple = {
        pa.string(): "VARCHAR",
        pa.large_string(): "VARCHAR",
        pa.string_view(): "VARCHAR",
        pa.bool_(): "BOOLEAN",
        pa.int32(): "INTEGER",
        pa.int64(): "BIGINT",
        pa.float32(): "FLOAT",
        pa.float64(): "DOUBLE",
        TIME: "TIMESTAMP WITH TIME ZONE",
    }
    return simple[type_]
