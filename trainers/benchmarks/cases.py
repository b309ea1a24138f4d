"""What a judge is asked about one row, and how its answer is read."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any


class NoJudgementError(Exception):
    """An answer of a judge that is none: another form, another number of scores, a score that is not allowed."""


@dataclass(frozen=True, slots=True)
class Call:
    """One request to a judge.

    Attributes:
        name: Which of the requests about a row it is.
        body: The document that is sent.
        read: The scores that an answer gives; raises NoJudgementError.
    """

    name: str
    body: Mapping[str, Any]
    read: Callable[[str], tuple[float, ...]]

    def digest(self) -> str:
        """The SHA-256 of what is asked; with the name it tells one judgement from all others."""
        return hashlib.sha256(json.dumps(self.body, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Case:
    """A row that is judged: its id, the metric that wants it, and the requests in their order."""

    id: str
    metric: str
    calls: tuple[Call, ...]
