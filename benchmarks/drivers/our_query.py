"""One SELECT through `triptych.query`, called as a function: our_query.py STORE SQL

Modules are imported before the clock starts, as in plain_query.py; the time includes opening the store, its views and
the sandbox.
"""

from __future__ import annotations

import json
import sys
import time

import deltalake
import duckdb
import pyarrow
import triptych

LOADED = (deltalake, duckdb, pyarrow)

started = time.perf_counter()
rows = triptych.query(sys.argv[2], store=sys.argv[1]).to_pylist()
seconds = time.perf_counter() - started
# Sums of floats depend on the order of the rows in their last digits.
first = [round(value, 1) if isinstance(value, float) else value for value in rows[0].values()]
print(json.dumps({"seconds": seconds, "rows": len(rows), "first": first}))
