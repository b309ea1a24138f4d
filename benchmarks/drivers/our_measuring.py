"""Triptych's measuring alone: every check of every sample of a store through the engine, without writing rows.

    our_measuring.py STORE WORKERS

This is the core of `triptych validate`, with the same part size and the same function for a part.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from triptych.shards.engine.engine import Rows, map_parts
from triptych.shards.query import connect
from triptych.shards.store.store import Store
from triptych.validators.checks import INPUT_COLUMNS, PRELOAD, measure_rows
from triptych.validators.validate import PART_ROWS


def parts(store: Store) -> Iterator[Rows]:
    """The samples in parts, with the columns that measuring reads."""
    with connect(store) as connection:
        reader = connection.sql(f"SELECT {', '.join(INPUT_COLUMNS)} FROM samples").to_arrow_reader(PART_ROWS * 32)
        for batch in reader:
            for start in range(0, len(batch), PART_ROWS):
                yield batch.slice(start, PART_ROWS).to_pylist()


def main() -> None:
    started = time.perf_counter()
    store = Store.open(Path(sys.argv[1]))
    rows, seconds, errors = 0, 0.0, 0
    measure = partial(measure_rows, root=str(store.root))
    many = {"workers": int(sys.argv[2]), "are_many": True, "preload": PRELOAD}
    for part in map_parts(measure, parts(store), **many):
        rows += len(part)
        seconds += sum(row["audio_decoded_duration"] for row in part)
        errors += sum(row["audio_error"] is not None for row in part)
    output = {"audio_seconds": seconds, "rows": rows, "errors": errors, "seconds": time.perf_counter() - started}
    print(json.dumps(output))


if __name__ == "__main__":
    main()
