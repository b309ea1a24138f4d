"""mlcroissant: the records that `croissant.json` describes, read from the version's `data.parquet`.

A record's fields are compared with those of its row. Media is not decoded: what is `heard` are files that are there.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from .answers import MEDIA, answer, begin, read_ids, words


def main() -> None:
    """Answer one request."""
    request, answers = begin()
    from importlib.metadata import version

    answer(answers, {"consumer": "mlcroissant", "version": version("mlcroissant"), "model": None})
    for each in _answers(Path(request["file"]), request.get("rows")):
        answer(answers, each)


def _answers(file: Path, rows: int | None) -> Iterator[dict[str, Any]]:
    import mlcroissant

    ids = read_ids(file)
    try:
        dataset = mlcroissant.Dataset(jsonld=file.with_name("croissant.json"))
        found = {record["id"]: record for record in map(_plain, dataset.records(record_set="rows"))}
    except Exception as error:  # noqa: BLE001 (the answer)
        yield from ({"id": each, "outcome": "crashed", "stage": "load", "why": words(error)} for each in ids)
        yield {"rows": len(ids), "loaded": 0}
        return
    with file.open(encoding="utf-8") as lines:
        written = {row["id"]: row for row in map(json.loads, lines)}
    for each in ids[:rows]:
        yield {"id": each, **(_record(found[each], written[each]) if each in found else _LOST)}
    yield {"rows": len(ids), "loaded": len(found)}


_LOST = {"outcome": "deleted", "stage": "load"}


def _plain(record: Mapping[str, Any]) -> dict[str, Any]:
    """A record with the names of its columns and its texts as `str`."""
    fields = {name.rpartition("/")[2]: value for name, value in record.items()}
    return {name: value.decode() if isinstance(value, bytes) else value for name, value in fields.items()}


def _record(record: Mapping[str, Any], row: Mapping[str, Any]) -> dict[str, Any]:
    other = sorted(name for name, value in record.items() if not _is_same(value, row.get(name)))
    if other:
        return {"outcome": "replaced", "stage": "load", "why": f"differs in {', '.join(other)}"}
    heard = {kind: int(isinstance(record.get(kind), str) and Path(record[kind]).is_file()) for kind in MEDIA}
    return {"outcome": "kept", "stage": None, "heard": heard}


def _is_same(value: Any, own: Any) -> bool:
    """Whether a value is that of the row; an object is JSON in the record, and nothing is null, NaN or empty."""
    if isinstance(own, dict):
        return isinstance(value, str) and json.loads(value) == own
    nothing = value is None or value == "" or value != value
    return value == own or (nothing and own in (None, ""))
