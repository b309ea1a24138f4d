"""Samples with their media inside, for WebDataset and `datasets`: what the rows must have before they are packed.

A sample that holds neither text nor media teaches nothing; a medium that is missing would be a hole in its shard.
Source: webdataset 1.0, `webdataset.filters` and `tariterators`; datasets 5, `datasets.features`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from ..findings import Finding, Problem, finding
from ..mend_texts import with_mends
from ..unified import is_file, path_shape

TASKS: tuple[str, ...] = ()
MEDIA = ("image", "video", "audio", "images", "videos", "audios")
CONTENT = ("text", "translation", "answer", "captions", "labels", "question")

PROBLEMS = {
    "missing_id": Problem("packing", "error", "no id", "the sample has no key"),
    "duplicate_id": Problem("packing", "error", "duplicate id", "two samples become one where they meet in a shard"),
    "missing_file": Problem("packing", "error", "no such file", "the sample would lack its medium"),
    "no_content": Problem("packing", "error", "neither media nor text", "the sample is empty"),
    "wrong_type": Problem("packing", "error", "not a path", "the medium cannot be packed"),
}
PROBLEMS = with_mends("webdataset", PROBLEMS)


class Rows:
    """Validates rows one by one."""

    def __init__(self, *, task: str | None = None, files: bool = True) -> None:
        self.files = files

    def check(self, number: int, row: Mapping[str, Any]) -> Iterator[Finding]:
        """Yield the findings of one row."""
        if not isinstance(row.get("id"), str) or not row["id"]:
            yield finding(PROBLEMS, "missing_id", number, column="id", value=row.get("id"))
        has_media = False
        for column in MEDIA:
            value = row.get(column)
            for path in value if isinstance(value, list) else [value] if value is not None else []:
                has_media = True
                if not isinstance(path, str):
                    yield finding(PROBLEMS, "wrong_type", number, column=column, value=path)
                elif self.files and not is_file(path):
                    yield finding(PROBLEMS, "missing_file", number, column=column, value=path)
        if not has_media and not any(row.get(column) for column in CONTENT):
            yield finding(PROBLEMS, "no_content", number)


def detect_task(rows: Collection[Mapping[str, Any]]) -> str | None:
    """Return None: the format has no tasks."""
    return None


def shape(columns: Mapping[str, str]) -> dict[str, str]:
    """Return what the findings of a row depend on; see `shape_sql`."""
    found = {"id": "CASE WHEN id <> '' THEN 'x' ELSE id END"}
    for name, type_ in columns.items():
        if name in MEDIA:
            found[name] = path_shape(name) if type_ == "VARCHAR" else f"CASE WHEN len({name}) > 0 THEN ['/'] END"
        elif name in CONTENT:
            found[name] = f"len({name}) > 0"
    return found
