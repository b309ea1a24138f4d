"""ShareGPT rows: `conversations` of `from` and `value`, `system`, `tools`, and lists of images, videos and audios."""

from __future__ import annotations

from ..llamafactory.problems import PROBLEMS
from ..llamafactory.turns import TurnRows as Rows
from ..llamafactory.turns import detect_task, shape

TASKS: tuple[str, ...] = ()

__all__ = ["PROBLEMS", "TASKS", "Rows", "detect_task", "shape"]
