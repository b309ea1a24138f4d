"""Rows for KTO with LLaMA-Factory: a conversation, and in `kto_tag` whether its last answer was liked.

LLaMA-Factory keeps the label as a pair with an empty text on one side, and reads it back from which side has a text. It
also sets each answer beside the question of the next row, with that row's media.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ..findings import Finding
from ..msswift_rows import KINDS
from .problems import PROBLEMS
from .turns import TurnRows, Turns, is_turns, text_shape
from .turns import shape as shape_of_turns

TASKS: tuple[str, ...] = ("kto",)


class Rows(TurnRows):
    """Validates rows with a label."""

    def read(self, number: int, row: Mapping[str, Any], turns: Turns) -> Iterator[Finding]:
        label = self.entry.value(row, "kto_tag")
        found = [*super().read(number, row, turns)]
        column = self.entry.columns.get("messages", "conversations")
        nulls = [each for each in found if each.code == "null_content"]
        if nulls and label is True and self._has_null_answer(row.get(column)):
            # It is taken for the empty side of a pair, and the other side, which is empty, is trained.
            found.remove(nulls[-1])
        yield from found
        if not isinstance(label, bool):
            yield self.problem("kto_tag", number, column=self.entry.columns.get("kto_tag", "kto_tag"), value=label)
        answer = turns.texts[-1] if turns.texts else None
        if answer == "":
            yield self.problem("empty_answer", number, column=column)
        if answer and any(f"<{kind[:-1]}>" in answer for kind in KINDS):
            yield self.problem("tag_in_answer", number, column=column, value=answer)

    def _has_null_answer(self, listed: Any) -> bool:
        last = listed[-1] if isinstance(listed, list) and listed else None
        return isinstance(last, Mapping) and last.get(self.entry.tags["content_tag"]) is None


def detect_task(rows: object) -> str:
    """Return the only task of the format."""
    return "kto"


def shape(columns: Mapping[str, str]) -> dict[str, str]:
    """What the findings of a row depend on; see `shape_sql`. An empty text is not like any other."""
    found = shape_of_turns(columns)
    if "kto_tag" in columns:
        found["kto_tag"] = "kto_tag"
    if is_turns(columns.get("conversations", "")):
        text = "'x' || " + text_shape("m['value']")
        text = f"CASE WHEN m['value'] = '' OR m['from'] = 'function_call' THEN m['value'] ELSE {text} END"
        found["conversations"] = f"[{{'from': m['from'], 'value': {text}}} FOR m IN conversations]"
    return found


__all__ = ["PROBLEMS", "TASKS", "Rows", "detect_task", "shape"]
