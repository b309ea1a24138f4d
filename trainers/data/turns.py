"""A conversation that a model reads: turns of text and media, in order."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ...shards.media.integrity import LinkedSums

SYSTEM, USER, ASSISTANT = "system", "user", "assistant"


@dataclass(frozen=True, slots=True)
class Clip:
    """A medium whose sound is heard: a path, or a URL that a server is handed.

    Attributes:
        sha256: What its bytes must be, where its name does not say so: it was linked.
    """

    path: str
    sha256: str | None = None

    @property
    def is_url(self) -> bool:
        return self.path.startswith(("http://", "https://"))


@dataclass(frozen=True, slots=True)
class Picture:
    """An image that is seen."""

    path: str
    sha256: str | None = None


@dataclass(frozen=True, slots=True)
class Video:
    """A video that is seen; its sound is a `Clip` of its own where it is heard, unless `with_sound`.

    Attributes:
        with_sound: Whether its own sound is heard with it, in step with its frames.
    """

    path: str
    with_sound: bool = False
    sha256: str | None = None


Medium = Clip | Picture | Video
Part = str | Clip | Picture | Video


@dataclass(frozen=True, slots=True)
class Turn:
    """What one side says, in order.

    Attributes:
        is_learned: Of an answer: whether a model learns to give it. One that is not learned is only read.
    """

    role: str
    parts: tuple[Part, ...]
    is_learned: bool = True

    @property
    def text(self) -> str:
        return "".join(part for part in self.parts if isinstance(part, str))


def with_sums(turns: tuple[Turn, ...], linked: LinkedSums) -> tuple[Turn, ...]:
    """The same turns, each linked medium with the SHA-256 that the store has of it."""
    if not linked:
        return turns

    def known(part: Part) -> Part:
        return part if isinstance(part, str) else replace(part, sha256=linked.get(part.path))

    return tuple(replace(turn, parts=tuple(map(known, turn.parts))) for turn in turns)
