"""What is asked of a model: a conversation whose turns hold texts and clips, and whose last turn is the user's."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from ..data.turns import Clip, Part, Turn
from ..models.model_files import LARGEST_SAMPLE, blocks_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One row to ask.

    Attributes:
        id: The row's id, unique in the run.
        turns: The conversation; empty where the row cannot be asked.
        where: Its place for messages: `prompts.jsonl:3`, or the export.
        audio: The path of its clip as the row has it; of several the first.
        source, gt: What the row of an evaluation list says; `gt` is also the answer that a row holds.
        choices: The options of a question with choices.
        description: The sound in words, of a row that has one.
        is_plain: Whether its one user turn was made of a prompt, so that a template applies to it.
        fault: Why it cannot be asked.
    """

    id: str
    turns: tuple[Turn, ...] = ()
    where: str = ""
    audio: str | None = None
    source: str | None = None
    gt: str | None = None
    choices: tuple[str, ...] = ()
    description: str | None = None
    is_plain: bool = False
    fault: str | None = None

    @property
    def clips(self) -> tuple[Clip, ...]:
        return tuple(part for turn in self.turns for part in turn.parts if isinstance(part, Clip))

    @property
    def prompt(self) -> str:
        """The text of its last turn."""
        return self.turns[-1].text if self.turns else ""

    def with_fault(self, fault: str) -> Question:
        """The same row, which cannot be asked."""
        return replace(self, fault=self.fault or fault)

    def digest(self) -> str:
        """A short SHA-256 of what is asked: every turn, every path and what its file holds."""
        asked = [[turn.role, *map(_identity, turn.parts)] for turn in self.turns]
        return hashlib.sha256(json.dumps(asked).encode()).hexdigest()[:16]


def _identity(part: Part) -> Any:
    if isinstance(part, str):
        return part
    try:
        stat = None if isinstance(part, Clip) and part.is_url else Path(part.path).stat()
        held = None if stat is None else _content(part.path, stat.st_size, stat.st_mtime_ns)
    except OSError:
        held = None
    return {"clip": part.path, "sha256": held}


@lru_cache(maxsize=4096)
def _content(path: str, size: int, changed_ns: int) -> str:
    """The SHA-256 of a file, of one of more than 64 MB of 64 MB of it; read again where it was written since."""
    digest = hashlib.sha256(str(size).encode())
    for block in blocks_of(Path(path), size, whole=size <= LARGEST_SAMPLE):
        digest.update(block)
    return digest.hexdigest()
