"""Write a mended copy of a file: rows whose problems have a mend that cannot be wrong, and all other rows as they are.

A mended row is validated again: it is written only if the problem is gone and no other came in its place.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ...errors import ProblemsFound, UsageError
from . import FORMATS, Summary, summarise_file
from .files import read_rows
from .findings import Change, Finding
from .mends import MENDS

SUFFIXES = (".jsonl", ".ndjson")


def mend_file(path: Path, out: Path, format: str, *, task: str | None = None, files: bool = True) -> Summary:
    """Write a mended copy of a file as JSON Lines; the summary is that of the copy, with the rows that changed.

    Raises:
        UsageError: There is no such format, task or file; `out` exists, or is not named as JSON Lines.
        ProblemsFound: A row cannot be read.
    """
    if out.is_dir():
        raise UsageError(f"{out} is a folder: name the file to write.")
    if out.suffix.lower() not in SUFFIXES:
        raise UsageError(f"{out}: a mended copy is JSON Lines.", hint=f"name it {out.with_suffix(SUFFIXES[0]).name}")
    if path.name.lower().endswith(getattr(FORMATS.get(format), "SUFFIXES", ())):
        raise UsageError(f"{path}: a shard is not mended.", hint="pack it again from the files that it was made of")
    if out.exists():
        raise UsageError(f"{out} exists.", hint="name a new file")
    task = summarise_file(path, format, task=task, files=False).task
    changes: list[Change] = []
    unfinished = out.with_name(f".{out.name}.unfinished")
    try:
        with unfinished.open("w", encoding="utf-8") as file:
            for number, row in read_rows(path):
                if isinstance(row, Finding):
                    raise ProblemsFound(f"{path}, row {number}: {row.message}.", hint="correct it by hand first")
                mended, codes = _mended(path, format, task, row)
                before, after = _written(row), _written(mended)
                if codes:
                    changes.append(Change(number, tuple(codes), before, after))
                file.write(after + "\n")
        unfinished.rename(out)
    finally:
        unfinished.unlink(missing_ok=True)
    summary = summarise_file(out, format, task=task, files=files)
    summary.changes = changes
    return summary


def check_file(path: Path, format: str, *, task: str | None = None, fix: Path | None = None) -> Summary:
    """The summary of a file, or with `fix` of a mended copy of it."""
    return summarise_file(path, format, task=task) if fix is None else mend_file(path, fix, format, task=task)


def _mended(path: Path, format: str, task: str | None, row: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """The row with everything put right that can be, and the codes that are gone."""
    mends, codes = MENDS.get(format, {}), []
    found = list(_codes(path, format, task, row)) if mends else []
    for code in [code for code in mends if code in found]:
        tried = copy.deepcopy(row)
        mends[code](tried)
        left = list(_codes(path, format, task, tried))
        if _written(tried) != _written(row) and code not in left and set(left) <= set(found):
            row, found = tried, left
            codes.append(code)
    return row, codes


def _written(row: dict[str, Any]) -> str:
    return json.dumps(row, ensure_ascii=False)  # 1 and true are equal in Python


def _codes(path: Path, format: str, task: str | None, row: dict[str, Any]) -> Iterator[str]:
    """The codes of a row on its own."""
    rows = FORMATS[format].Rows(task=task, files=False)
    if hasattr(rows, "begin"):
        list(rows.begin(path))
    yield from (finding.code for finding in rows.check(1, row))


__all__ = ["check_file", "mend_file"]
