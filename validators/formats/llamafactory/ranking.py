"""Preference pairs for LLaMA-Factory: a conversation up to its last question, and two answers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from ..findings import Finding
from .dataset_info import Entry
from .problems import PROBLEMS
from .turns import TurnRows, Turns, detect_task, is_function_call, shape

TASKS: tuple[str, ...] = ()


class Rows(TurnRows):
    """Validates rows with a chosen and a rejected answer; tags are counted with each of them."""

    own_entry: ClassVar[Entry] = Entry(ranking=True)

    def read(self, number: int, row: Mapping[str, Any], turns: Turns) -> Iterator[Finding]:
        yield from super().read(number, row, turns)
        sides = [self.entry.value(row, side) for side in ("chosen", "rejected")]
        if not all(isinstance(side, Mapping) for side in sides):
            yield self.problem("not_a_pair", number, column="chosen", value=sides)
            return
        for name, side in zip(("chosen", "rejected"), sides, strict=True):
            letter, text = self.turn(side)
            if letter == "x":
                yield self.problem("unknown_answer_role", number, column=name, value=side)
            elif letter == "s":
                yield self.problem("system_answer", number, column=name, value=side)
            elif letter != "a":
                yield self.problem("answer_role", number, column=name, value=side)
            if text is None:
                yield self.problem("null_content", number, column=name)
            elif self.is_call(side) and not is_function_call(text):
                yield self.problem("function_call", number, column=name, value=text)
            turns.answers.append(text or "")
        if turns.answers[0].split() == turns.answers[1].split():
            yield self.problem("same_answers", number, column="rejected", value=turns.answers[1])


__all__ = ["PROBLEMS", "TASKS", "Rows", "detect_task", "shape"]
