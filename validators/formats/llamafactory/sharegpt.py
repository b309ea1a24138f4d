"""Conversations for LLaMA-Factory: `conversations` of `from` and `value`, with `system`, `tools` and lists of media."""

from __future__ import annotations

from .problems import PROBLEMS
from .turns import TurnRows as Rows
from .turns import detect_task, shape

TASKS: tuple[str, ...] = ()

__all__ = ["PROBLEMS", "TASKS", "Rows", "detect_task", "shape"]
