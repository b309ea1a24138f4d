"""A row that a model is trained on: a conversation with its answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .turns import Clip, Medium, Picture, Turn, Video


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingRow:
    """One row of an export.

    Attributes:
        id: Its id, unique in the export.
        where: Its place for messages: the export and the id.
        turns: The conversation; the last turn is the assistant's.
        rejected: The last turn of the rejected side of a pair: it follows the same turns and the same media.
        dimension: Of a pair: what it prefers by (`factuality` ...).
        columns: The other columns of the row, as they are.
    """

    id: str
    where: str
    turns: tuple[Turn, ...]
    rejected: Turn | None = None
    dimension: str | None = None
    columns: Mapping[str, Any] = field(default_factory=dict)

    @property
    def media(self) -> tuple[Medium, ...]:
        """What is heard and seen, in the order of the text."""
        return tuple(part for turn in self.turns for part in turn.parts if isinstance(part, Clip | Picture | Video))
