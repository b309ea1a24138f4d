"""Which runs of training used exports: rows of `runs` that a run writes when it begins.

A run that could not write to the store (read-only for its user) is not known here; it says so in its own log.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from ..events import Run
from ..query import rows_of
from ..store.store import Store
from ..store.tables import ALL_DATASETS
from ..store.use import using

STAGE = "train"


def register_training(
    store: Store, *, trainer: str, folder: Path, exports: Sequence[str], datasets: Iterable[str], rows: int,
    left_out: Mapping[str, int],
) -> str:  # fmt: skip
    """Write that a run of training begins to use exports; return the id of its row.

    Args:
        exports: References of versions.
        rows: Rows that are trained on; `left_out` maps reasons to the others.

    Raises:
        StoreReadOnly: This user cannot write there.
    """
    names = sorted(datasets)
    run = Run(
        STAGE, names[0] if len(names) == 1 else ALL_DATASETS, f"train {trainer}",
        {"exports": list(exports), "folder": str(folder.resolve())}, details={"datasets": names},
    )  # fmt: skip
    run.account.keep(rows)
    for reason, count in left_out.items():
        run.account.drop(reason, count)
    with using(store, "begin a run of training"):
        run.finish(store)
    return run.run_id


def trainings_of(store: Store, exports: Iterable[str]) -> dict[str, list[str]]:
    """The folders of runs that used any of these versions, each with those that it used."""
    wanted, found = set(exports), dict[str, list[str]]()
    if not wanted or not store.has_rows("runs"):
        return found
    rows = rows_of(store, "runs", f"SELECT options FROM {{}} WHERE stage = '{STAGE}' ORDER BY started_at")
    for (text,) in rows:
        options = json.loads(text)
        used = [each for each in options["exports"] if each in wanted]
        if used:
            found[options["folder"]] = sorted({*found.get(options["folder"], ()), *used})
    return found
