"""Which rows are drawn: by the hash of a seed and the id, the same whatever the order of rows and files."""

from __future__ import annotations

import hashlib


def draw_key(seed: int, identity: str) -> int:
    """Where an id stands in the order of a seed."""
    return int.from_bytes(hashlib.sha256(f"{seed}:{identity}".encode()).digest()[:8])
