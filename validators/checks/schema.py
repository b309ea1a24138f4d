"""The Arrow schema of the `checks` table."""

from __future__ import annotations

import pyarrow as pa

from .columns import COLUMNS

CHECKS_SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("dataset", pa.string()),
        ("revision", pa.string()),
        ("measured_at", pa.timestamp("us", tz="UTC")),
        *((name, pa.list_(pa.string()) if kind == "list<string>" else kind) for name, kind in COLUMNS.items()),
    ]
)
