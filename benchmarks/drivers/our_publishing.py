"""Triptych's publish with a clock on every step: `triptych export msswift --task sft`, called as a function.

    our_publishing.py STORE

The steps are the exporter's own functions, as its module names them; each is wrapped, none is changed or left out.
`render` is the stage that limits are held against: from the prepared rows to data.parquet in hash order and data.jsonl.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from triptych.converters import export as exporting
from triptych.shards import exports
from triptych.shards.store import Store

RENDER = "render"
STEPS = (
    "connect", "choose", "derive_media", "prepare", "count_outcomes", RENDER, "exclude_refused", "make_manifest",
    "write_notice", "_write_events",
)  # fmt: skip
SHARED_STEPS = ("write_jsonl", "data_files")


def main() -> None:
    spent: dict[str, float] = {}
    for module, names in ((exporting, STEPS), (exports, SHARED_STEPS)):
        for name in names:
            if hasattr(module, name):
                setattr(module, name, clocked(getattr(module, name), name, spent))
    started = time.perf_counter()
    result = exporting.export("msswift", store=Store.open(Path(sys.argv[1])), task="sft")
    whole = time.perf_counter() - started
    if RENDER not in spent:
        raise SystemExit(f"the exporter has no step {RENDER!r} any more: adapt {Path(__file__).name}")
    steps = {name: round(seconds, 3) for name, seconds in spent.items()}
    said = {"whole": whole, "rows": result.counts["written"], "steps": steps, **steps}
    print(json.dumps(said))


def clocked(function: Callable[..., Any], name: str, spent: dict[str, float]) -> Callable[..., Any]:
    """The same function; the seconds of its calls add up under its name."""

    def wrapped(*arguments: Any, **options: Any) -> Any:
        started = time.perf_counter()
        try:
            return function(*arguments, **options)
        finally:
            spent[name] = spent.get(name, 0.0) + time.perf_counter() - started

    return wrapped


if __name__ == "__main__":
    main()
