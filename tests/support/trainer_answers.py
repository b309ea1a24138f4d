"""What trainers and readers themselves do with the rows of `trainer_rows`, recorded and asked afresh.

`PYTHONPATH=tests python -m support.trainer_answers ms-swift` loads every row with the client (`make client-ms-swift`),
each from a file of its own, and prints the record: some ten minutes. `llamafactory` and `webdataset` are the others. A
further word is the model whose template is used (`qwen2-audio`); each has a record of its own.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from support import imported
from support.places import ROOT
from support.trainer_rows import TASKS, llamafactory, make_media, placed, rows_of
from support.trainer_rows.tar_shards import SHARDS
from triptych.validators.consumers import CONSUMERS
from triptych.validators.consumers.client import ask

RECORDS = ROOT / "tests/validators/consumers"
MODEL = "qwen3-omni"
"""Whose template is used if none is named."""
KINDS = ("image", "audio", "video")
PARTS = {"ms-swift": TASKS, "llamafactory": tuple(llamafactory.FILES), "webdataset": ("shards",)}
"""Client -> the parts of its record."""


def recorded(client: str, model: str = MODEL) -> dict[str, dict[str, Any]]:
    """The recorded answers: part -> id of the row -> answer."""
    name = client if model == MODEL else f"{client}_{model}"
    path = RECORDS / f"{name.replace('-', '_')}_answers.json"
    document = json.loads(path.read_text(encoding="utf-8"))
    return {part: document[part] for part in PARTS[client]}


def asked(client: str, part: str, folder: Path, *, python: Path, model: str = MODEL) -> dict[str, Any]:
    """The answers of the client itself."""
    if client == "webdataset":
        return _of_shards(folder, python)
    make_media(folder / "media")
    if client == "ms-swift":
        rows, request = rows_of(part, folder / "media"), {"task": part}
    else:
        kind = llamafactory.FILES[part]
        rows = [{"id": name, **placed(row, folder / "media")} for name, row in kind.rows]
        request = {"task": kind.task, "info": kind.info}
    file = imported.table(folder / f"{part}.jsonl", rows)
    found = ask(CONSUMERS[client], python, {"file": str(file), "model": model, "alone": True, **request}).rows
    return {row["id"]: short(found[row["id"]]) for row in rows}


def _of_shards(folder: Path, python: Path) -> dict[str, Any]:
    paths = {name: folder / f"{number}.tar" for number, name in enumerate(SHARDS)}
    for name, path in paths.items():
        path.write_bytes(SHARDS[name])
    found = ask(CONSUMERS["webdataset"], python, {"shards": list(map(str, paths.values()))}).rows
    return {
        name: {
            "given": [f"{key}: {' '.join(suffixes)}" for key, suffixes in found[str(path)]["given"]],
            **{what: found[str(path)][what] for what in ("undecoded", "stopped")},
        }
        for name, path in paths.items()
    }


def short(answer: dict[str, Any]) -> dict[str, Any]:
    """The part of an answer that does not depend on vocabulary and media."""
    if answer["outcome"] != "kept":
        return {"outcome": answer["outcome"], "stage": answer["stage"]}
    sides = {"heard": answer, "rejected": answer["rejected"]} if "rejected" in answer else {"heard": answer}
    heard = {name: [side["heard"][kind] for kind in KINDS] for name, side in sides.items()}
    return {"outcome": "kept", "literal": answer["literal"], **heard}


def record(client: str, model: str, answers: dict[str, dict[str, Any]]) -> Iterator[str]:
    """The lines of a record: one a row."""
    yield f'{{"client": "{client}", "model": "{model}"'
    for part, rows in answers.items():
        yield f', "{part}": {{'
        lines = [f"{json.dumps(name)}: {json.dumps(answer)}" for name, answer in rows.items()]
        yield ",\n".join(lines)
        yield "}"
    yield "}"


def main() -> None:
    """Print the record of a client."""
    client, model = sys.argv[1], (sys.argv[2:] or [MODEL])[0]
    python = CONSUMERS[client].python()
    assert python is not None, f"make client-{client}"
    answers = {}
    for part in PARTS[client]:
        with tempfile.TemporaryDirectory() as folder:
            answers[part] = asked(client, part, Path(folder), python=python, model=model)
    print("\n".join(record(client, model, answers)))


if __name__ == "__main__":
    main()
