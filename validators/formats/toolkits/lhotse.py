"""Rows for Lhotse: what `lhotse.qa.validate` demands of a recording and its supervision; and shards, by their cuts.

Source: lhotse 1.33, lhotse/qa.py.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from ..findings import Finding, Problem, finding
from ..mend_texts import with_mends
from ..unified import is_file, path_shape
from . import shar
from .shar import SUFFIXES, examine

TASKS: tuple[str, ...] = ()

PROBLEMS = {
    "missing_id": Problem("validate", "error", "no id", "lhotse's validate stops"),
    "duplicate_id": Problem("validate", "error", "duplicate id", "lhotse's validate stops"),
    "missing_audio": Problem("validate", "error", "no audio", "the recording has no source"),
    "missing_file": Problem("loading", "error", "no such file", "lhotse stops when it loads the recording"),
    "relative_path": Problem("loading", "warning", "not an absolute path", "it is resolved from the working directory"),
    "bad_length": Problem("validate", "error", "num_samples or sampling_rate is not a positive whole number",
                          "lhotse's validate stops"),
    "word_outside": Problem("validate", "error", "a word or phone outside the recording",
                            "lhotse's validate refuses the alignment"),
}  # fmt: skip
PROBLEMS = with_mends("lhotse", {**PROBLEMS, **shar.PROBLEMS})
_SLACK_S = 0.001


class Rows:
    """Validates rows one by one."""

    def __init__(self, *, task: str | None = None, files: bool = True) -> None:
        self.files = files

    def check(self, number: int, row: Mapping[str, Any]) -> Iterator[Finding]:
        """Yield the findings of one row."""
        if not isinstance(row.get("id"), str) or not row["id"]:
            yield finding(PROBLEMS, "missing_id", number, column="id", value=row.get("id"))
        path = row.get("audio")
        if not isinstance(path, str) or not path:
            yield finding(PROBLEMS, "missing_audio", number, column="audio", value=path)
        else:
            if not path.startswith("/"):
                yield finding(PROBLEMS, "relative_path", number, column="audio", value=path)
            if self.files and not is_file(path):
                yield finding(PROBLEMS, "missing_file", number, column="audio", value=path)
        samples, rate = row.get("num_samples"), row.get("sampling_rate")
        for column, value in (("num_samples", samples), ("sampling_rate", rate)):
            if isinstance(value, bool) or not isinstance(value, int) or value <= 0:
                yield finding(PROBLEMS, "bad_length", number, column=column, value=value)
                return
        yield from _alignments(number, row, row["num_samples"] / row["sampling_rate"])


def _alignments(number: int, row: Mapping[str, Any], seconds: float) -> Iterator[Finding]:
    for column in ("words", "phones"):
        for item in row.get(column) or ():
            if not 0 <= item["start_s"] <= item["end_s"] <= seconds + _SLACK_S:
                yield finding(PROBLEMS, "word_outside", number, column=column, value=item)
                break


def detect_task(rows: Collection[Mapping[str, Any]]) -> str | None:
    """Return None: the format has no tasks."""
    return None


def shape(columns: Mapping[str, str]) -> dict[str, str]:
    """Return what the findings of a row depend on; see `shape_sql`."""
    outside = (
        "[{{'start_s': 0.0, 'end_s': CASE WHEN len(list_filter({0}, lambda w: NOT coalesce(0 <= w.start_s AND "
        "w.start_s <= w.end_s AND w.end_s <= num_samples / sampling_rate + 0.001, false))) > 0 THEN 9.0 ELSE 0.0 END}}]"
    )
    known = {
        "id": "CASE WHEN id <> '' THEN 'x' ELSE id END",
        "audio": path_shape("audio"),
        "num_samples": "CASE WHEN num_samples > 0 THEN 1 ELSE num_samples END",
        "sampling_rate": "CASE WHEN sampling_rate > 0 THEN 1 ELSE sampling_rate END",
        "words": outside.format("words"),
        "phones": outside.format("phones"),
    }
    return {name: sql for name, sql in known.items() if name in columns}


__all__ = ["PROBLEMS", "SUFFIXES", "TASKS", "Rows", "detect_task", "examine", "shape"]
