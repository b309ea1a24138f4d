"""Files that are converted to files, in the folder of the test, and what came out."""

from __future__ import annotations

import json
from pathlib import Path

from support import imported
from support.command_line import run
from support.training import Row

UNIFIED: Row = {"id": "1", "text": "hello world", "audio": "a.wav", "modality": "audio"}


def cli(*words: str) -> tuple[int, str]:
    """Exit code and all that was printed, of a command in this process."""
    done = run("triptych", *words)
    return done.code, done.stdout + done.stderr


def names(folder: str | Path = ".") -> list[str]:
    return sorted(path.name for path in Path(folder).iterdir())


def lines(path: str | Path) -> list[Row]:
    return [json.loads(line) for line in Path(path).read_text(encoding="utf-8").splitlines()]


def rows(path: str, *given_rows: Row) -> str:
    imported.table(Path(path), given_rows)
    return path
