"""The rows that an earlier run answered, and whether it was asked the same.

While a run goes on its answers are in OUT.partial, in the order in which they came; at its end OUT holds all rows in
the order in which they were asked, and OUT.partial is gone. Every row says with what it was made: a run with another
model, another way of decoding or another export does not continue it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ...errors import UsageError
from ..evaluation.predictions import Prediction, read_predictions
from .questions import Question

SETTINGS = ("model", "revision", "backend", "server", "decoding", "export", "export_sha256")
"""The fields of a row that are the same in all rows of a file."""
ASKED = "asked"
"""The field with the digest of what was asked."""


def partial_of(out: Path) -> Path:
    """Where the answers of an unfinished run are."""
    return out.with_name(f"{out.name}.partial")


def done_rows(out: Path, questions: Sequence[Question], settings: Mapping[str, Any]) -> dict[str, Prediction]:
    """The rows that need no answer any more, by id: those without an error that were asked the same.

    Raises:
        UsageError: OUT was made in another way, or holds answers to other rows.
    """
    asked = {question.id: question for question in questions}
    found: dict[str, Prediction] = {}
    for path in (out, partial_of(out)):
        if not path.exists() or path.stat().st_size == 0:
            continue
        for row in _latest(path):
            _check(row, path, settings)
            question = asked.get(row.id or "")
            if question is None:
                raise UsageError(
                    f"{path}:{row.line}: {row.id!r} is none of the rows that are asked: it holds answers to others.",
                    hint="choose another --out, or --force to begin anew",
                )
            if row.error is None and row.fields.get(ASKED) == question.digest():
                found[question.id] = row
            else:
                found.pop(question.id, None)
    return found


def _latest(path: Path) -> list[Prediction]:
    """The rows of a file; of a row that was answered again, in a log, the latest."""
    if not path.name.endswith(".partial"):
        return list(read_predictions(path))
    return list({row.id: row for row in read_predictions(path, repeats=True)}.values())


def _check(row: Prediction, path: Path, settings: Mapping[str, Any]) -> None:
    changes = []
    for name in SETTINGS:
        before, now = row.fields.get(name), settings.get(name)
        if before == now:
            continue
        if isinstance(before, dict) and isinstance(now, dict):
            keys = sorted({*before, *now})
            changes += [f"{key}={_shown(before.get(key))}, now {_shown(now.get(key))}"
                        for key in keys if before.get(key) != now.get(key)]  # fmt: skip
        else:
            changes.append(f"{name}={_shown(before)}, now {_shown(now)}")
    if changes:
        raise UsageError(
            f"{path} was made with {'; '.join(changes)}.", hint="choose another --out, or --force to begin anew"
        )


def _shown(value: Any) -> str:
    return "nothing" if value is None else str(value)
