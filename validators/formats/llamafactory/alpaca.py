"""Alpaca rows for LLaMA-Factory: `instruction`, `input`, `output`, and earlier exchanges in `history`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from ..findings import Finding
from .dataset_info import Entry
from .problems import PROBLEMS
from .turns import TurnRows, Turns, detect_task, shape

TASKS: tuple[str, ...] = ()


class Rows(TurnRows):
    """Validates rows with an instruction and an output."""

    own_entry: ClassVar[Entry] = Entry(formatting="alpaca")

    def read(self, number: int, row: Mapping[str, Any], turns: Turns) -> Iterator[Finding]:
        history = self.entry.value(row, "history")
        if isinstance(history, list):
            for pair in history:
                if isinstance(pair, str) and len(pair) == 2:
                    yield self.problem("history_letters", number, column="history", value=pair)
                    turns.texts += pair
                elif not isinstance(pair, list) or len(pair) != 2:
                    yield self.problem("bad_history", number, column="history", value=pair)
                elif any(not isinstance(text, str) for text in pair):
                    yield self.problem("null_content", number, column="history", value=pair)
                else:
                    turns.texts += pair
        column = self.entry.columns.get("prompt", "instruction")
        asked = [self.entry.value(row, column) for column in ("prompt", "query")]
        turns.texts.append("\n".join(text for text in asked if isinstance(text, str) and text))
        if any(text and not isinstance(text, str) for text in asked):
            yield self.problem("prompt_type", number, column=column, value=asked)
        elif not turns.texts[-1]:
            yield self.problem("empty_prompt", number, column=column)
        output = self.entry.value(row, "response")
        if isinstance(output, str):
            turns.texts.append(output)
        else:
            yield self.problem("no_output", number, column=self.entry.columns.get("response", "output"), value=output)
        yield from self.system(number, row, turns)


__all__ = ["PROBLEMS", "TASKS", "Rows", "detect_task", "shape"]
