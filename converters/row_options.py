"""Values of the options that views, `export` and `convert` share."""

from __future__ import annotations

ORDERS = ("hash", "id")
NO_SPLIT = ("keep", "drop")
TEXTS = ("raw", "clean", "lower")
REASONING = ("think", "drop", "column")
SOUNDS = ("separate", "in-video", "sound-only")
