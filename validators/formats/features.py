"""Rows of features: what a row says of its array must be what its shard holds.

A trainer reads `shard` and there the frames from `start` on, or the tensor `key`: a number that is wrong gives it the
features of another clip. Shards lie beside the file.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Any

from .findings import Finding, Problem, finding

TASKS: tuple[str, ...] = ()
_OTHER = "the row is read with the features of another clip, or not at all"
_MEND = "export again: triptych export features"

PROBLEMS = {
    "missing_id": Problem("load", "error", "no id", "the row cannot be found again", "kept", _MEND),
    "duplicate_id": Problem("load", "error", "duplicate id", _OTHER, "kept", _MEND),
    "missing_shard": Problem("load", "error", "no such shard", "the row fails when it is read", "crashed", _MEND),
    "outside_path": Problem("load", "error", "a shard outside the folder of the file", "it is not moved with the rows",
                            "kept", _MEND),
    "no_place": Problem("load", "error", "neither `start` nor `key`, or both", _OTHER, "kept", _MEND),
    "bad_shape": Problem("load", "error", "`frames` or `dims` is not a whole number above 0", _OTHER, "kept", _MEND),
    "other_shape": Problem("load", "error", "the shard has no array of this place and shape", _OTHER, "kept", _MEND),
}  # fmt: skip


class Rows:
    """Validates rows one by one; shards are looked at if the folder of the file is known: see `begin`."""

    def __init__(self, *, task: str | None = None, files: bool = True) -> None:
        self.files = files
        self._folder: Path | None = None

    def begin(self, path: Path) -> Iterator[Finding]:
        """Note where the shards lie."""
        self._folder = path.absolute().parent
        return iter(())

    def check(self, number: int, row: Mapping[str, Any]) -> Iterator[Finding]:
        """Yield the findings of one row."""
        if not isinstance(row.get("id"), str) or not row["id"]:
            yield finding(PROBLEMS, "missing_id", number, column="id", value=row.get("id"))
        for column in ("frames", "dims"):
            if not _is_count(row.get(column), least=1):
                yield finding(PROBLEMS, "bad_shape", number, column=column, value=row.get(column))
                return
        if (row.get("start") is None) == (row.get("key") is None):
            yield finding(PROBLEMS, "no_place", number, column="start", value=row.get("start"))
            return
        shard = row.get("shard")
        if not isinstance(shard, str) or not shard:
            yield finding(PROBLEMS, "missing_shard", number, column="shard", value=shard)
        elif PurePosixPath(shard).is_absolute() or ".." in PurePosixPath(shard).parts:
            yield finding(PROBLEMS, "outside_path", number, column="shard", value=shard)
        elif self.files and self._folder is not None:
            path = self._folder / shard
            if not path.is_file():
                yield finding(PROBLEMS, "missing_shard", number, column="shard", value=shard)
            elif not _holds(_shapes(path), row):
                yield finding(PROBLEMS, "other_shape", number, column="shard", value=shard)


def _is_count(value: Any, *, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def _holds(shapes: Mapping[str | None, list[int]], row: Mapping[str, Any]) -> bool:
    if row.get("key") is not None:
        return shapes.get(row["key"]) == [row["frames"], row["dims"]]
    frames, dims = shapes.get(None, [0, 0])
    return _is_count(row["start"], least=0) and row["start"] + row["frames"] <= frames and row["dims"] == dims


@lru_cache(maxsize=4)
def _shapes(path: Path) -> dict[str | None, list[int]]:
    """The shapes in a shard by key, or that of its one array; none of a file that is no shard."""
    try:
        with path.open("rb") as file:
            if path.suffix == ".npy":
                import numpy as np

                np.lib.format.read_magic(file)  # type: ignore[no-untyped-call]
                shape, _, _ = np.lib.format.read_array_header_1_0(file)  # type: ignore[no-untyped-call]
                return {None: list(shape)}
            header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
            return {key: each["shape"] for key, each in header.items() if key != "__metadata__"}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, OverflowError, MemoryError):
        return {}


def detect_task(rows: Collection[Mapping[str, Any]]) -> str | None:
    """Return None: the format has no tasks."""
    return None


def shape(columns: Mapping[str, str]) -> dict[str, str]:
    """Return what the findings of a row depend on; see `shape_sql`. Its features are made after that."""
    return {"id": "CASE WHEN id <> '' THEN 'x' ELSE id END", "shard": "'x'", "start": "0", "frames": "1", "dims": "1"}
