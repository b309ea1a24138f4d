"""`datasets`: both files of a version, `data.jsonl` and its Parquet twin, loaded whole and compared row by row.

Media is not decoded: what is `heard` are files that are there.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from .answers import MEDIA, answer, begin, words


def main() -> None:
    """Answer one request."""
    request, answers = begin()
    import datasets

    answer(answers, {"consumer": "datasets", "version": datasets.__version__, "model": None})
    lines = Path(request["file"])
    try:
        rows, twins = (_load(kind, path, request) for kind, path in (("json", lines), ("parquet", _twin(lines))))
    except Exception as error:  # noqa: BLE001 (the answer)
        answer(answers, {"id": None, "outcome": "crashed", "stage": "load", "why": words(error.__cause__ or error)})
        answer(answers, {"rows": _count(lines), "loaded": 0})
        return
    for number in range(min(request.get("rows") or len(rows), len(rows))):
        row, twin = rows[number], twins[number] if number < len(twins) else {}
        answer(answers, {"id": row.get("id"), **_compared(_without_nulls(row), _without_nulls(twin))})
    answer(answers, {"rows": _count(lines), "loaded": min(len(rows), len(twins))})


def _load(kind: str, path: Path, request: dict[str, Any]) -> Any:
    from datasets import load_dataset

    return load_dataset(kind, data_files=str(path), split="train", cache_dir=f"{request['work']}/{kind}")


def _twin(lines: Path) -> Path:
    return lines.with_suffix(".parquet")


def _count(lines: Path) -> int:
    with lines.open("rb") as file:
        return sum(1 for line in file if line.strip())


def _compared(row: dict[str, Any], twin: dict[str, Any]) -> dict[str, Any]:
    heard = {kind: sum(Path(path).is_file() for path in _paths(row, kind)) for kind in MEDIA}
    if row == twin:
        return {"outcome": "kept", "stage": None, "heard": heard}
    other = sorted(key for key in row.keys() | twin.keys() if row.get(key) != twin.get(key))
    return {"outcome": "crashed", "stage": "load", "why": f"the two files differ in {', '.join(other)}", "heard": heard}


def _paths(row: dict[str, Any], kind: str) -> list[str]:
    found = []
    for name in (kind, f"{kind}s"):
        value = row.get(name)
        found += [each for each in (value if isinstance(value, list) else [value]) if isinstance(each, str)]
    for part in _parts(list(row.values())):
        value = part.get(part["type"])
        value = value.get("url") if isinstance(value, dict) else value
        if part["type"].removesuffix("_url") == kind and isinstance(value, str):
            found.append(unquote(value.removeprefix("file://")) if value.startswith("file://") else value)
    return found


def _parts(value: Any) -> Iterator[dict[str, Any]]:
    """The parts of messages, `{"type": "audio", "audio": path}`, however deep they lie."""
    if isinstance(value, dict):
        if isinstance(value.get("type"), str):
            yield value
        value = list(value.values())
    if isinstance(value, list):
        for each in value:
            yield from _parts(each)


def _without_nulls(value: Any) -> Any:
    """The value as JSON Lines has it: without keys whose value is null."""
    if isinstance(value, dict):
        return {key: _without_nulls(each) for key, each in value.items() if each is not None}
    if isinstance(value, list):
        return [_without_nulls(each) for each in value]
    return value
