"""`datasets`: both files of a version, `data.jsonl` and its Parquet twin, loaded whole and compared row by row.

A version that is a dataset by itself, media inside (`data/*.parquet` and a README), is loaded as one too, and its rows
are compared with the others. What is `heard` are files that are there, or media whose bytes are inside, unchanged:
media is not decoded.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

from .answers import MEDIA, answer, begin, words
from .media import files_of

Row = dict[str, Any]


def main() -> None:
    """Answer one request."""
    request, answers = begin()
    import datasets

    answer(answers, {"consumer": "datasets", "version": datasets.__version__, "model": None})
    lines = Path(request["file"])
    try:
        rows, twins = (_load(kind, path, request) for kind, path in (("json", lines), ("parquet", _twin(lines))))
        inside = _inside(lines.parent, request)
    except Exception as error:  # noqa: BLE001 (the answer)
        answer(answers, {"id": None, "outcome": "crashed", "stage": "load", "why": words(error.__cause__ or error)})
        answer(answers, {"rows": _count(lines), "loaded": 0})
        return
    for number in range(min(request.get("rows") or len(rows), len(rows))):
        row, twin = rows[number], twins[number] if number < len(twins) else {}
        found = _compared(_without_nulls(row), _without_nulls(twin))
        if inside is not None and found["outcome"] == "kept":
            found = _embedded(_without_nulls(row), inside.get(row["id"]))
        answer(answers, {"id": row.get("id"), **found})
    loaded = min(len(rows), len(twins), *([] if inside is None else [len(inside)]))
    answer(answers, {"rows": _count(lines), "loaded": loaded})


def _load(kind: str, path: Path, request: Mapping[str, Any]) -> Any:
    from datasets import load_dataset

    return load_dataset(kind, data_files=str(path), split="train", cache_dir=f"{request['work']}/{kind}")


def _inside(folder: Path, request: Mapping[str, Any]) -> dict[str, Row] | None:
    """The rows of the dataset that the folder is, by id, each with its split; None if it is none."""
    from datasets import load_dataset

    if not ((folder / "README.md").is_file() and (folder / "data").is_dir()):
        return None
    splits = load_dataset(str(folder), cache_dir=f"{request['work']}/folder")
    return {row["id"]: {**row, "split": split} for split, rows in splits.items() for row in rows}


def _twin(lines: Path) -> Path:
    return lines.with_suffix(".parquet")


def _count(lines: Path) -> int:
    with lines.open("rb") as file:
        return sum(1 for line in file if line.strip())


def _compared(row: Row, twin: Row) -> Row:
    if row == twin:
        return {"outcome": "kept", "stage": None, "heard": files_of(row)}
    other = sorted(key for key in row.keys() | twin.keys() if row.get(key) != twin.get(key))
    why = f"the two files differ in {', '.join(other)}"
    return {"outcome": "crashed", "stage": "load", "why": why, "heard": files_of(row)}


def _embedded(row: Row, inside: Row | None) -> Row:
    """A row beside the one that has its media inside, which the medium's name has the SHA-256 of."""
    if inside is None:
        return {"outcome": "deleted", "stage": "load", "why": "the dataset with the media inside lacks it"}
    heard = {kind: int(_is_whole(inside.get(kind))) for kind in MEDIA}
    own, other = ({key: value for key, value in each.items() if key not in (*MEDIA, "split")} for each in (row, inside))
    differs = sorted(key for key in own.keys() | other.keys() if own.get(key) != _without_nulls(other.get(key)))
    if differs:
        why = f"the dataset with the media inside differs in {', '.join(differs)}"
        return {"outcome": "crashed", "stage": "load", "why": why, "heard": heard}
    return {"outcome": "kept", "stage": None, "heard": heard}


def _is_whole(medium: Mapping[str, Any] | None) -> bool:
    return medium is not None and sha256(medium["bytes"]).hexdigest() == Path(medium["path"]).stem


def _without_nulls(value: Any) -> Any:
    """The value as JSON Lines has it: without keys whose value is null."""
    if isinstance(value, dict):
        return {key: _without_nulls(each) for key, each in value.items() if each is not None}
    if isinstance(value, list):
        return [_without_nulls(each) for each in value]
    return value
