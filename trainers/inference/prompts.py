"""How rows are asked: a system prompt, a template of the user turn, and few-shot examples before it.

A row with a `description` is also asked in words: its template holds the question and what is heard. Templates hold
`{prompt}` and may hold `{description}`; nothing else in them is replaced.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ...errors import UsageError
from ...shards.json_rows import read_object_rows
from ..data.turns import ASSISTANT, SYSTEM, USER, Clip, Turn
from .questions import Question
from .row_forms import ANSWERS, question_of

PLAIN = "{prompt}"
DESCRIBED = (
    "Question: {prompt}\nDescription of the audio: {description}\nReason step by step, then give the final answer."
)
"""The user turn of a row with a description."""

_FIELD = re.compile(r"\{(\w+)\}")
_FIELDS = ("prompt", "description")
_CHAINS = ("cot", "reasoning", "thinking")


@dataclass(frozen=True, slots=True)
class Prompting:
    """The settings of how rows are asked."""

    system: str | None = None
    template: str | None = None
    examples: tuple[Turn, ...] = ()

    @classmethod
    def of(cls, *, system: str | None, template: str | None, examples: Path | None) -> Prompting:
        """Build it from options: a text, or `@FILE` for the text of a file.

        Raises:
            UsageError: There is no such file, an unknown field in the template, or an example without an answer.
        """
        template = text_or_file(template, "--user-template")
        for name in _FIELD.findall(template or PLAIN):
            if name not in _FIELDS:
                raise UsageError(f"--user-template: there is no field {{{name}}}; fields: {', '.join(_FIELDS)}.")
        if template is not None and "{prompt}" not in template:
            raise UsageError("--user-template must hold {prompt}, or nothing is asked.")
        return cls(text_or_file(system, "--system"), template, read_examples(examples) if examples else ())

    def asked(self, question: Question) -> Question:
        """The question as it is put to the model."""
        if question.fault is not None:
            return question
        turns = question.turns
        if question.is_plain:
            filled = self._filled(turns[-1], question.description)
            if filled is None:
                return question.with_fault("no_description: the template holds {description}, and the row has none")
            turns = (*turns[:-1], filled)
        head = turns[:1] if turns[0].role == SYSTEM else (Turn(SYSTEM, (self.system,)),) if self.system else ()
        return replace(question, turns=(*head, *self.examples, *(turn for turn in turns if turn.role != SYSTEM)))

    def _filled(self, turn: Turn, description: str | None) -> Turn | None:
        template = self.template or (PLAIN if description is None else DESCRIBED)
        if "{description}" in template and description is None:
            return None
        fields = {"prompt": turn.text, "description": description or ""}
        text = _FIELD.sub(lambda match: fields[match[1]], template)
        clips = tuple(part for part in turn.parts if isinstance(part, Clip))
        if template == PLAIN:
            return turn
        return Turn(USER, (*clips, text) if text else clips)

    def record(self) -> dict[str, Any]:
        """What a row of predictions keeps of it; long texts by their SHA-256."""
        found: dict[str, Any] = {}
        if self.system is not None:
            found["system"] = self.system
        if self.template is not None:
            found["user_template"] = self.template
        if self.examples:
            told = [[turn.role, *(str(part) for part in turn.parts)] for turn in self.examples]
            found["examples"] = hashlib.sha256(json.dumps(told).encode()).hexdigest()[:16]
        return found


def text_or_file(value: str | None, option: str) -> str | None:
    """The text of an option, or of the file that it names with `@`."""
    if value is None or not value.startswith("@"):
        return value
    try:
        return Path(value[1:]).expanduser().read_text(encoding="utf-8").rstrip("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{option} {value}: {getattr(error, 'strerror', None) or error}.") from error


def read_examples(path: Path) -> tuple[Turn, ...]:
    """The turns of few-shot examples: rows in any form of `row_forms`, each with its answer."""
    turns: list[Turn] = []
    for line, row in read_object_rows(path):
        where = f"{path}:{line}"
        question = question_of(row, id=where, where=where, folder=path.parent)
        answer = _answer(row) or question.gt
        if question.fault or not answer:
            raise UsageError(
                f"{where}: no example: {question.fault or 'it has no answer'}.",
                hint=f"an example needs a question and one of {', '.join(ANSWERS)}",
            )
        asked = Prompting().asked(question)
        turns += [turn for turn in asked.turns if turn.role != SYSTEM]
        turns.append(Turn(ASSISTANT, (answer,)))
    if not turns:
        raise UsageError(f"{path}: there are no examples in it.")
    return tuple(turns)


def _answer(row: Mapping[str, Any]) -> str | None:
    """The answer of an example, behind its chain of thought where it has one."""
    answer = next((row[name] for name in ANSWERS if isinstance(row.get(name), str)), None)
    chain = next((row[name] for name in _CHAINS if isinstance(row.get(name), str)), None)
    return f"<think>\n{chain}\n</think>\n\n{answer}" if answer is not None and chain is not None else answer
