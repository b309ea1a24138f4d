"""Rows of training files, and what the readers make of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from support import imported
from triptych.converters.candidate import Candidate, RawFile, ReadContext, Rejection
from triptych.converters.readers import get_reader

Row = dict[str, Any]


def user(content: Any) -> Row:
    return {"role": "user", "content": content}


def assistant(content: Any) -> Row:
    return {"role": "assistant", "content": content}


def system(content: Any) -> Row:
    return {"role": "system", "content": content}


PAIR = [user("<audio>q"), assistant("y")]
"""A question about a sound, and its answer."""


def read(format: str, path: Path, **options: Any) -> list[Candidate | Rejection]:
    """What the reader makes of a file; nothing is probed or stored."""
    raw = RawFile(path.name, path.as_uri(), "", None, lambda: path.open("rb"), path=path)
    return list(get_reader(format).read([raw], ReadContext("mine", **options)))


def one(format: str, row: Row, folder: Path, **options: Any) -> Candidate:
    """The sample of one row."""
    (found,) = read(format, imported.table(folder / "one.jsonl", [row]), **options)
    assert isinstance(found, Candidate), found
    return found


def refused(format: str, row: Row, folder: Path) -> str:
    """Why a row is rejected; the detail names file and line."""
    (found,) = read(format, imported.table(folder / "bad.jsonl", [row]))
    assert isinstance(found, Rejection), found
    assert f"{folder}/bad.jsonl:1" in found.detail
    return found.reason


def paths(candidate: Candidate) -> list[tuple[str, str]]:
    """Kind and path of a candidate's media, as the row names them."""
    return [(kind, blob.name) for kind, blob in candidate.media]
