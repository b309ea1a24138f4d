"""`qa`: one question and its answer per row, with optional choices and media.

An answer given as the number or letter of a choice is replaced by that choice's text; the original is kept in `extra`
as `answer_key`. Columns with other names are mapped by `--map COLUMN=question` and the like.
"""

from __future__ import annotations

from typing import Any

from ....shards.sample import MEDIA_KINDS
from ...candidate import bad_cell
from ..tables.cells import as_text, typed
from .records import Columns, RecordsReader, Shape, counted
from .turns import Dialogue, answer_fields, fit_tags

_QUESTIONS = ("question", "query", "prompt", "question_text", "problem", "instruction")
_ANSWERS = ("answer", "response", "output", "answers", "solution", "answer_gt", "gt", "ground_truth")
_CHOICES = ("choices", "options", "multi_choice", "candidates")


def reshape(columns: Columns) -> Shape:
    """Reshape a row; raises RowError without a question (`no_question`), or if no choice matches (`bad_answer`)."""
    question = as_text(columns.take("question", *_QUESTIONS))
    if question is None:
        raise bad_cell("question", question, "a question", reason="no_question")
    media = {kind: counted(columns, kind) for kind in MEDIA_KINDS}
    dialogue = Dialogue([{"role": "user", "content": question}], further=[{}])
    fit_tags("question", dialogue, media)
    choices = _choices(columns.take("choices", *_CHOICES))
    given = columns.take("answer", *_ANSWERS)
    if isinstance(given, list):
        columns.left["answers"] = given
        given = given[0] if given else None
    answer = _chosen(given, choices)
    fields: dict[str, Any] = {"question": dialogue.messages[0]["content"], "choices": choices}
    if answer is not None:
        fields |= {name: value for name, value in answer_fields(answer).items() if value is not None}
    fields["task"] = as_text(columns.take("task", "task")) or "qa"
    return Shape(fields, extra={} if answer == as_text(given) else {"answer_key": given})


class QaReader(RecordsReader):
    """One sample per row."""

    reshape = staticmethod(reshape)


def _choices(value: Any) -> list[str] | None:
    """The choices as a list; those of an object (`{"A": "dog", "B": "cat"}`) in its order."""
    if value is None:
        return None
    texts = list(value.values()) if isinstance(value, dict) else typed("choices", "choices", value)
    return [text for item in texts if (text := as_text(item)) is not None] or None


def _chosen(given: Any, choices: list[str] | None) -> str | None:
    """The answer as text; a number or letter is replaced by the choice it refers to."""
    text = as_text(given)
    if text is None or not choices or text in choices:
        return text
    place = given if isinstance(given, int) and not isinstance(given, bool) else None
    if place is None and text.isdecimal() and text.isascii():
        place = int(text)
    letter = text.strip().strip("().").upper()
    if place is None and len(letter) == 1 and "A" <= letter <= "Z":
        place = ord(letter) - ord("A")
    if place is None:
        return text
    if not 0 <= place < len(choices):
        raise bad_cell("answer", given, f"one of {len(choices)} options", reason="bad_answer")
    return choices[place]
