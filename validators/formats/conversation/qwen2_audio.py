"""Qwen2-Audio's rows: `audio`, a path or a list of paths, and `conversations` with a tag for each sound.

The sound of a row with one path belongs to the first question.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from ..findings import Finding, Problem
from ..llamafactory.dataset_info import Entry
from ..llamafactory.problems import PROBLEMS as OF_TURNS
from ..llamafactory.turns import TurnRows, Turns, detect_task, shape

TASKS: tuple[str, ...] = ()

PROBLEMS: dict[str, Problem] = {
    **OF_TURNS,
    "no_audio": Problem(
        "encode", "error", "no audio", "the row is trained on without any sound", "kept", "name the sound, or remove it"
    ),
    "key_collision": Problem(
        "load", "error", "both `audio` and `audios`", "MS-SWIFT maps neither, then drops them", "kept", "keep one"
    ),
    "tag_not_first": Problem(
        "encode", "warning", "the tag of the sound is not in the first question", "the sound is heard in a later turn",
        "kept", "put the tag into the first question",
    ),
}  # fmt: skip


class Rows(TurnRows):
    """Validates rows with sound."""

    own_entry: ClassVar[Entry] = Entry(columns={"messages": "conversations", "audios": "audio"})
    problems: ClassVar[Mapping[str, Problem]] = PROBLEMS

    def read(self, number: int, row: Mapping[str, Any], turns: Turns) -> Iterator[Finding]:
        yield from super().read(number, row, turns)
        if row.get("audio") in (None, "", []):
            yield self.problem("no_audio", number, column="audio")
        if "audio" in row and "audios" in row:
            yield self.problem("key_collision", number, column="audios")
        if isinstance(row.get("audio"), str) and turns.texts and "<audio>" not in turns.texts[0] and any(
            "<audio>" in text for text in turns.texts
        ):  # fmt: skip
            yield self.problem("tag_not_first", number, column="conversations")


__all__ = ["PROBLEMS", "TASKS", "Rows", "detect_task", "shape"]
