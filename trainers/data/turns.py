"""A conversation that a model reads: turns of text and media, in order."""

from __future__ import annotations

from dataclasses import dataclass

SYSTEM, USER, ASSISTANT = "system", "user", "assistant"


@dataclass(frozen=True, slots=True)
class Clip:
    """A medium whose sound is heard: a path, or a URL that a server is handed."""

    path: str

    @property
    def is_url(self) -> bool:
        return self.path.startswith(("http://", "https://"))


@dataclass(frozen=True, slots=True)
class Picture:
    """An image that is seen."""

    path: str


@dataclass(frozen=True, slots=True)
class Video:
    """A video that is seen; its sound is a `Clip` of its own where it is heard, unless `with_sound`.

    Attributes:
        with_sound: Whether its own sound is heard with it, in step with its frames.
    """

    path: str
    with_sound: bool = False


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
