"""The random draw of rows by hash of seed and id, independent of the order of rows and files."""

from __future__ import annotations

import hashlib


def draw_key(seed: int, identity: str) -> int:
    """The sort key of an id for a seed; the rows with the smallest keys are drawn."""
    return int.from_bytes(hashlib.sha256(f"{seed}:{identity}".encode()).digest()[:8])
