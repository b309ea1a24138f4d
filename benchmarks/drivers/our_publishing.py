"""Triptych's publish with a clock on every step: `triptych export msswift --task sft`, called as a function.

    our_publishing.py STORE

The steps are the exporter's own functions; each is wrapped, none is changed or left out. `render` is the stage that has
limits, the sum of `RENDERING`: from the selected samples to data.parquet in hash order and data.jsonl.
"""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from triptych.converters.export import export as exporting
from triptych.converters.export import render as rendering
from triptych.converters.export.options import ExportOptions
from triptych.shards.exports import versions as exports
from triptych.shards.store.store import Store

RENDERING = ("make_rows", "render")
STEPS = (*RENDERING, "derive_media", "read_account", "publish", "write_events")


def main() -> None:
    seconds: Counter[str] = Counter()
    processor: Counter[str] = Counter()
    for module, names in ((exporting, STEPS), (rendering, ("write_jsonl",)), (exports, ("data_files",))):
        for name in names:
            if not hasattr(module, name):
                raise SystemExit(f"{module.__name__} no longer has the step {name!r}: adapt {Path(__file__).name}")
            setattr(module, name, clocked(getattr(module, name), name, seconds, processor))
    started, started_processor = time.perf_counter(), time.process_time()
    result = exporting.export("msswift", store=Store.open(Path(sys.argv[1])), options=ExportOptions(task="sft"))
    seconds["whole"] = time.perf_counter() - started
    processor["whole"] = time.process_time() - started_processor
    output = {
        "rows": result.counts["written"],
        "render": sum(seconds[name] for name in RENDERING),
        "write_jsonl": seconds["write_jsonl"],
        "steps": {name: [round(seconds[name], 2), round(processor[name], 2)] for name in seconds},
    }
    print(json.dumps(output))


def clocked(
    function: Callable[..., Any], name: str, seconds: Counter[str], processor: Counter[str]
) -> Callable[..., Any]:
    """Wrap a function to add up wall-clock and processor seconds of its calls under its name."""

    def wrapped(*arguments: Any, **options: Any) -> Any:
        started, started_processor = time.perf_counter(), time.process_time()
        try:
            return function(*arguments, **options)
        finally:
            seconds[name] += time.perf_counter() - started
            processor[name] += time.process_time() - started_processor

    return wrapped


if __name__ == "__main__":
    main()
