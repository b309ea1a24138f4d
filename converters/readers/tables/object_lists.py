"""A list of objects in a cell, also where it is stored as an object of lists."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def as_objects(value: Any) -> Any:
    """Turn an object of lists of one length into a list of objects: `datasets` stores a `Sequence` of objects so."""
    if not isinstance(value, Mapping) or not all(isinstance(held, list) for held in value.values()):
        return value
    if len({len(held) for held in value.values()}) != 1:
        return value
    return [dict(zip(value, each, strict=True)) for each in zip(*value.values(), strict=True)]
