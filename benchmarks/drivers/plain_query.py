"""One SELECT by DuckDB alone over plain Parquet files, called `samples`: plain_query.py FOLDER SQL"""

from __future__ import annotations

import json
import sys
import time

import duckdb

started = time.perf_counter()
with duckdb.connect(":memory:") as connection:
    connection.execute(f"CREATE VIEW samples AS SELECT * FROM read_parquet('{sys.argv[1]}/*.parquet')")
    rows = connection.execute(sys.argv[2]).fetchall()
# Sums of floats depend on the order of the rows in their last digits.
first = [round(value, 1) if isinstance(value, float) else value for value in rows[0]]
print(json.dumps({"seconds": time.perf_counter() - started, "rows": len(rows), "first": first}))
