"""Files of predictions: the answer of a model to each row that it was asked.

A file is JSON Lines, one object a row, in the order of the asked rows. `triptych infer` writes

    id            the id of the row in the export (`id`, or `id#part` where a sample has several), or of the asked row
    audio         the path of the clip, as it was asked, where there is one
    prediction    the answer; absent where there is none
    predictions   the answers of all samples, where several were drawn; `prediction` is then the one that was voted for
    error         why there is no prediction
    source, gt    what the row of an evaluation list says
    model, revision, backend, decoding, export, export_sha256, seconds (of sound)

and any further field of the row. A file made elsewhere may also be a JSON array of objects (Qwen2-Audio's scripts write
one), or a text file of one prediction a line; the prediction is read from the first of
`validators/formats/predictions.py` that is there. Reading is strict: what is no prediction ends it with the line and
the column.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ...errors import UsageError
from ...shards.json_rows import read_object_rows
from ...shards.row_log import RowLog, json_line
from ...validators.formats.predictions import AUDIO_COLUMNS, COLUMNS, audio_column, prediction_column, unsure_of
from .text_lines import is_text, read_texts

_OWN = frozenset({"id", "predictions", "error", "source", "gt", *AUDIO_COLUMNS, *COLUMNS})
_SHOWN = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """What a model answered to one row.

    Attributes:
        id: The row's id; None in a file that has none.
        audio: The path of its clip, as it was asked.
        prediction: The answer; None where the model gave none.
        predictions: The answers of all samples, where several were drawn.
        error: Why there is no prediction.
        source, gt: What the asked row of an evaluation list says.
        fields: Every other field of the row: the model, its decoding, the export.
        line: Its line in the file, counted from 1; 0 before it is written.
    """

    id: str | None = None
    audio: str | None = None
    prediction: str | None = None
    predictions: tuple[str, ...] = ()
    error: str | None = None
    source: str | None = None
    gt: str | None = None
    fields: Mapping[str, Any] = field(default_factory=dict)
    line: int = 0

    def document(self) -> dict[str, Any]:
        """The row as it is written, without what is absent."""
        own = {
            "id": self.id,
            "audio": self.audio,
            "prediction": self.prediction,
            "predictions": list(self.predictions) or None,
            "error": self.error,
            "source": self.source,
            "gt": self.gt,
        }
        return {name: value for name, value in {**own, **self.fields}.items() if value is not None}


def line_of(prediction: Prediction) -> bytes:
    """The row as one line of JSON, with its line end."""
    return json_line(prediction.document())


def write_predictions(path: Path, predictions: Iterable[Prediction]) -> int:
    """Write a file at once: it is there in full, or as it was. Returns the number of rows."""
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_name(f".{path.name}.{os.getpid()}")
    count = 0
    try:
        with scratch.open("wb") as file:
            for prediction in predictions:
                file.write(line_of(prediction))
                count += 1
            file.flush()
            os.fsync(file.fileno())
        scratch.replace(path)
    finally:
        scratch.unlink(missing_ok=True)
    return count


class PredictionLog(RowLog):
    """A file of predictions that grows while a model answers."""

    def append(self, predictions: Iterable[Prediction]) -> None:
        """Write these rows behind the others, as one write."""
        self.write(line_of(each) for each in predictions)


def read_predictions(path: Path, *, repeats: bool = False) -> Iterator[Prediction]:
    """Yield the predictions of a file in its order: JSON Lines, a JSON array, or text of one prediction a line.

    Args:
        repeats: Whether an id may come again, as in a log of a row that was answered twice.

    Raises:
        UsageError: There is no such file; or a row of it is no prediction, has an id that came before, or lacks one
            where others have one.
    """
    ids: dict[str, int] = {}
    has_ids = True
    for found in _texts(path) if is_text(path) else _rows(path):
        if found.id is not None:
            if found.id in ids and not repeats:
                raise UsageError(
                    f"{path}:{found.line}: column id: {found.id!r} has a prediction in line {ids[found.id]} already.",
                    hint="keep one prediction for each row",
                )
            ids[found.id] = found.line
        if ids and (found.id is None or not has_ids):
            raise UsageError(
                f"{path}:{found.line}: column id: some rows of the file have one and others have none.",
                hint="give every row the id of what was asked",
            )
        has_ids = has_ids and found.id is not None
        yield found


def _texts(path: Path) -> Iterator[Prediction]:
    for number, text in read_texts(path):
        yield Prediction(prediction=text, line=number)


def _rows(path: Path) -> Iterator[Prediction]:
    for line, row in read_object_rows(path):
        yield _prediction(row, f"{path}:{line}", line)


def _prediction(row: Mapping[str, Any], where: str, line: int) -> Prediction:
    column, audio = prediction_column(row), audio_column(row)
    if column is None and row.get("error") is None:
        raise UsageError(
            f"{where}: no prediction among the columns {', '.join(row)}.",
            hint=f"a prediction stands in one of {', '.join(COLUMNS)}",
        )
    if other := unsure_of(column, row):
        raise UsageError(
            f"{where}: is the prediction in {column} or in {other}?", hint="name the column of predictions `prediction`"
        )
    several = row.get("predictions")
    if several is not None and not (isinstance(several, list) and all(isinstance(each, str) for each in several)):
        raise UsageError(f"{where}: column predictions: expected a list of texts, got {shown(several)}.")
    others = {name: value for name, value in row.items() if name not in _OWN}
    # Of two names for a prediction, the later one is a field of the row: NeMo's `text` beside `pred_text`.
    others |= {name: row[name] for name in (*COLUMNS, *AUDIO_COLUMNS) if name in row and name not in (column, audio)}
    identity = row.get("id")
    if isinstance(identity, int) and not isinstance(identity, bool):
        identity = str(identity)
    return Prediction(
        id=_text(identity, "id", where),
        audio=_text(row.get(audio), audio, where) if audio else None,
        prediction=_text(row.get(column), column, where) if column else None,
        predictions=tuple(several or ()),
        error=_text(row.get("error"), "error", where),
        source=_text(row.get("source"), "source", where),
        gt=_text(row.get("gt"), "gt", where),
        fields=others,
        line=line,
    )


def _text(value: Any, column: str, where: str) -> str | None:
    if value is None or isinstance(value, str):
        return value
    raise UsageError(f"{where}: column {column}: expected text, got {shown(value)}.")


def shown(value: Any) -> str:
    """A value as messages show it."""
    return f"{type(value).__name__} {json.dumps(value)[:_SHOWN]}"
