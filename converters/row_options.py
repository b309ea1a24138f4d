"""Options that `export` and `convert` share, and the values that views take."""

from __future__ import annotations

from typing import Annotated

from ..options import Option

ORDERS = ("hash", "id")
NO_SPLIT = ("keep", "drop")
BROKEN_SPLITS = ("refuse", "drop", "keep")
TEXTS = ("raw", "clean", "lower")
REASONING = ("think", "drop", "column")
LONG = ("keep", "reject", "window")
SOUNDS = ("separate", "in-video", "sound-only")
CAPTIONS = ("first", "all")

CONVERSATIONS = "Conversations"
"""The heading of the options of conversations."""

System = Annotated[str | None, Option("A system message before every conversation.", CONVERSATIONS)]
Reasoning = Annotated[
    str | None,
    Option("Where the reasoning of an answer goes: think (in front of it, in <think>), drop, or column (a column "
           "of its own); default: think, and column for grpo, whose solution never holds it.", CONVERSATIONS,
           choices=REASONING),
]  # fmt: skip
