"""What MS-SWIFT itself does with the rows of `trainer_rows`, recorded and asked afresh.

`PYTHONPATH=tests python -m support.trainer_answers` loads every row with the client (`make client-ms-swift`), each from
a file of its own, and prints the record: some ten minutes.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

from support import imported
from support.places import ROOT
from support.trainer_rows import TASKS, make_media, rows_of
from triptych.validators.consumers import CONSUMERS
from triptych.validators.consumers.client import ask

RECORD = ROOT / "tests/validators/consumers/ms_swift_answers.json"
MODEL = "qwen3-omni"
KINDS = ("image", "audio", "video")


def recorded() -> dict[str, dict[str, Any]]:
    """The recorded answers: task -> id of the row -> answer."""
    document = json.loads(RECORD.read_text(encoding="utf-8"))
    return {task: document[task] for task in TASKS}


def asked(task: str, folder: Path, *, python: Path) -> dict[str, Any]:
    """The answers of the client itself."""
    make_media(folder / "media")
    file = imported.table(folder / f"{task}.jsonl", rows_of(task, folder / "media"))
    request = {"file": str(file), "task": task, "model": MODEL, "alone": True}
    return {each["id"]: short(each) for each in ask(CONSUMERS["ms-swift"], python, request).rows.values()}


def short(answer: dict[str, Any]) -> dict[str, Any]:
    """The part of an answer that does not depend on vocabulary and media."""
    if answer["outcome"] != "kept":
        return {"outcome": answer["outcome"], "stage": answer["stage"]}
    sides = {"heard": answer, "rejected": answer["rejected"]} if "rejected" in answer else {"heard": answer}
    heard = {name: [side["heard"][kind] for kind in KINDS] for name, side in sides.items()}
    return {"outcome": "kept", "literal": answer["literal"], **heard}


def main() -> None:
    """Print the record."""
    consumer = CONSUMERS["ms-swift"]
    python = consumer.python()
    assert python is not None, "make client-ms-swift"
    print(f'{{"consumer": "ms-swift 4.6.0", "model": "{MODEL}"', end="")
    for task in TASKS:
        with tempfile.TemporaryDirectory() as folder:
            rows = asked(task, Path(folder), python=python)
        lines = ",\n".join(f"{json.dumps(name)}: {json.dumps(answer)}" for name, answer in rows.items())
        print(f',\n"{task}": {{\n{lines}}}', end="")
    print("}")


if __name__ == "__main__":
    main()
