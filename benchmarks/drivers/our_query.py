"""One SELECT through `triptych.query`, called as a function: our_query.py STORE SQL"""

from __future__ import annotations

import json
import sys
import time

import triptych

started = time.perf_counter()
rows = [tuple(row.values()) for row in triptych.query(sys.argv[2], store=sys.argv[1]).to_pylist()]
print(json.dumps({"seconds": time.perf_counter() - started, "rows": len(rows), "first": str(rows[0])}))
