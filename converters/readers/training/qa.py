"""`qa`: one question and its answer per row, with optional choices and media.

An answer given as the number or letter of a choice is replaced by that choice's text; the original is kept in `extra`
as `answer_key`. Names that the choices have themselves (`{"B": "cat", "A": "dog"}`, `B. cat`) go before their order.
Columns with other names are mapped by `--map COLUMN=question` and the like.
"""

from __future__ import annotations

import contextlib
from typing import Any

from ....shards.json_objects import parse
from ....shards.sample import MEDIA_KINDS
from ...candidate import bad_cell
from ..mapping.choices import own_letter
from ..tables.cells import as_text, typed
from .records import Columns, RecordsReader, Shape, counted
from .turns import Dialogue, answer_fields, fit_tags

_QUESTIONS = ("question", "query", "prompt", "question_text", "problem", "instruction")
_ANSWERS = ("answer", "response", "output", "answers", "solution", "answer_gt", "gt", "ground_truth")
_CHOICES = ("choices", "options", "multi_choice", "candidates")

Choice = tuple[str | None, str | None]
"""The name of a choice, where choices have names of their own, and its text."""


def reshape(columns: Columns) -> Shape:
    """Reshape a row; raises RowError without a question (`no_question`), or if no choice matches (`bad_answer`)."""
    question = as_text(columns.take("question", *_QUESTIONS))
    if question is None:
        raise bad_cell("question", question, "a question", reason="no_question")
    media = {kind: counted(columns, kind) for kind in MEDIA_KINDS}
    dialogue = Dialogue([{"role": "user", "content": question}], further=[{}])
    fit_tags("question", dialogue, media)
    choices = _choices(columns.take("choices", *_CHOICES))
    texts = [text for _, text in choices if text is not None] or None
    given = columns.take("answer", *_ANSWERS)
    if isinstance(given, list):
        columns.left["answers"] = given
        given = given[0] if given else None
    answer = _chosen(given, choices)
    fields: dict[str, Any] = {"question": dialogue.messages[0]["content"], "choices": texts}
    if answer is not None:
        fields |= {name: value for name, value in answer_fields(answer).items() if value is not None}
    fields["task"] = as_text(columns.take("task", "task")) or "qa"
    return Shape(fields, extra={} if answer == as_text(given) else {"answer_key": given})


class QaReader(RecordsReader):
    """One sample per row."""

    reshape = staticmethod(reshape)


def _choices(value: Any) -> list[Choice]:
    """The choices in their order; those of an object (`{"A": "dog", "B": "cat"}`) have its keys as names."""
    if isinstance(value, str) and value.lstrip().startswith("{"):
        with contextlib.suppress(ValueError, RecursionError):  # kept as the text of one choice
            value = parse(value)
    if isinstance(value, dict):
        return [(_name(str(key)), as_text(text)) for key, text in value.items()]
    checked = typed("choices", "choices", value) or []
    texts = [as_text(item) for item in (value if isinstance(value, list) else checked)]
    own = [own_letter(text or "") for text in texts]
    named = len({*own} - {None}) == len(texts)
    return list(zip(own if named else [None] * len(texts), texts, strict=True))


def _name(text: str) -> str:
    return text.strip().strip("().").upper()


def _chosen(given: Any, choices: list[Choice]) -> str | None:
    """The answer as text; a number or letter is replaced by the choice of that name, else by the one at that place."""
    text = as_text(given)
    if text is None or not choices:
        return text
    name = _name(text)
    named = [each for own, each in choices if own is not None and own == name]
    if any(text == each for _, each in choices):
        if named and named[0] != text:
            raise bad_cell("answer", given, "an answer that is not the text of one option and the name of another",
                           reason="bad_answer")  # fmt: skip
        return text
    place = _place(given, text, name, choices[0][0])
    if not named and place is None:
        return text
    found = named or [each for _, each in choices[place:][:1] if place is not None and place >= 0]
    if not found or found[0] is None:
        raise bad_cell("answer", given, f"one of {len(choices)} options", reason="bad_answer")
    return found[0]


def _place(given: Any, text: str, name: str, first: str | None) -> int | None:
    """The place that an answer names, -1 for none of them; None if it names no place.

    Args:
        first: The name of the first choice, where choices have names; these are not counted anew.
    """
    if len(name) == 1 and "A" <= name <= "Z":
        return ord(name) - ord("A") if first is None else -1
    is_number = (isinstance(given, int) and not isinstance(given, bool)) or (text.isdecimal() and text.isascii())
    if not is_number:
        return None
    return -1 if first is not None and first.isdecimal() else int(text)
