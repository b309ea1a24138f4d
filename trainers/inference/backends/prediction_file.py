"""Answers made elsewhere, matched with the asked rows: by id, else by the path of the clip, else line by line."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ....errors import UsageError
from ...evaluation.predictions import Prediction, read_predictions
from ..questions import Question
from .answers import Answer, Request

_SHOWN = 5


class PredictionFile:
    """Answers with what a file holds for a row.

    Raises:
        UsageError: Its rows cannot be matched with those that are asked, or it holds answers to others.
    """

    rate = 16_000
    heard_s: float | None = None
    takes_prompts = True

    def __init__(self, path: Path, questions: Sequence[Question]) -> None:
        self.path = path
        self._found = _matched(path, list(read_predictions(path)), questions)

    def needs_sound(self, question: Question) -> bool:
        return False

    def answer(self, requests: Sequence[Request]) -> list[Answer]:
        return [self._one(request.question) for request in requests]

    def close(self) -> None:
        """There is nothing to free."""

    def _one(self, question: Question) -> Answer:
        found = self._found.get(question.id)
        if found is None:
            return Answer(error=f"no_prediction: {self.path.name} has none for this row")
        if found.prediction is None:
            return Answer(error=found.error or f"no_prediction: {self.path.name}:{found.line} has none")
        return Answer(text=found.prediction)


def _matched(path: Path, rows: Sequence[Prediction], questions: Sequence[Question]) -> dict[str, Prediction]:
    """The predictions by the id of their question."""
    if not rows:
        raise UsageError(f"{path}: there are no predictions in it.")
    if rows[0].id is not None:
        asked = {question.id: question.id for question in questions}
        return _by_key(path, asked, [(row.id, row) for row in rows], "id")
    audios = [question.audio for question in questions]
    if all(row.audio is not None for row in rows) and None not in audios and len(set(audios)) == len(audios):
        asked = {str(question.audio): question.id for question in questions}
        return _by_key(path, asked, [(row.audio, row) for row in rows], "audio")
    if len(rows) != len(questions):
        raise UsageError(
            f"{path}: {len(rows):,} predictions without ids for {len(questions):,} rows: they cannot be matched.",
            hint="give each prediction the id of its row, or the path of its clip where each row has its own",
        )
    return {question.id: row for question, row in zip(questions, rows, strict=True)}


def _by_key(
    path: Path, asked: dict[str, str], rows: Sequence[tuple[str | None, Prediction]], column: str
) -> dict[str, Prediction]:
    found: dict[str, Prediction] = {}
    for key, row in rows:
        if key not in asked:
            first = ", ".join(list(asked)[:_SHOWN])
            raise UsageError(
                f"{path}:{row.line}: column {column}: {key!r} is not asked; the first asked ones are {first}.",
                hint="choose the export or file that the predictions were made for",
            )
        identity = asked[str(key)]
        if identity in found:
            raise UsageError(
                f"{path}:{row.line}: column {column}: {key!r} has a prediction in line {found[identity].line} already."
            )
        found[identity] = row
    return found
