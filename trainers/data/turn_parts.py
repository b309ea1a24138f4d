"""Contents of turns as parts: texts with tags of media, and lists of typed parts.

    <audio> <image> <video>                the next medium of that kind among the row's
    <audio>PATH</audio>                    this file
    {"type": "audio", "audio": PATH}       this file; `audio_url`, `image_url`, `video_url`, `input_audio` as servers
                                           take them: paths and URLs

What does not fit together is a fault: a text is never read without the sound that belongs to it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from ...validators.formats.msswift_rows import MODEL_TOKEN
from .bad_rows import BadRow
from .turns import ASSISTANT, SYSTEM, USER, Clip, Medium, Part, Picture, Video

ROLES = {
    "human": USER, "user": USER, "gpt": ASSISTANT, "assistant": ASSISTANT, "bot": ASSISTANT, "system": SYSTEM,
}  # fmt: skip
AUDIO, IMAGE, VIDEO = "audio", "image", "video"
NOUNS = {AUDIO: "sounds", IMAGE: "images", VIDEO: "videos"}

_ALL = (IMAGE, VIDEO, AUDIO)
_TAGS: dict[tuple[str, ...], re.Pattern[str]] = {
    kinds: re.compile(rf"<({'|'.join(kinds)})>(?:([^<>\n]+)</\1>)?") for kinds in ((AUDIO,), _ALL)
}
_TOKEN = re.compile(MODEL_TOKEN)
_TYPES = {
    "audio": AUDIO, "audio_url": AUDIO, "input_audio": AUDIO,
    "image": IMAGE, "image_url": IMAGE, "video": VIDEO, "video_url": VIDEO,
}  # fmt: skip


@dataclass(slots=True)
class PartReader:
    """Reads the contents of one row, in their order.

    Attributes:
        kinds: The kinds of media that are read: of sound alone, or of all three. Tags of others are text.
        folder: What relative paths are relative to, where a file is there; else the working directory.
        sound_in_videos: Whether the sound of videos is heard with them.
        waiting: The media of the row by kind, as tags have yet to take them.
    """

    kinds: tuple[str, ...] = _ALL
    folder: Path = field(default_factory=Path)
    sound_in_videos: bool = False
    waiting: dict[str, list[Medium]] = field(default_factory=dict)

    def medium(self, kind: str, path: str) -> Medium:
        """The medium at a path or URL."""
        place = unquote(path.removeprefix("file://")) if path.startswith("file://") else path.strip()
        if not place.startswith(("http://", "https://")) and not Path(place).is_absolute():
            beside = self.folder / place
            place = str(beside if beside.exists() else Path(place))
        if kind == IMAGE:
            return Picture(place)
        return Clip(place) if kind == AUDIO else Video(place, with_sound=self.sound_in_videos)

    def has_tag(self, text: str) -> bool:
        return _TAGS[self.kinds].search(text) is not None

    def tagged(self, text: str) -> tuple[Part, ...]:
        """The parts of a text with tags; takes the media of tags without a path.

        Raises:
            BadRow: `tags`.
        """
        if "<" not in text:
            return (text,) if text else ()
        parts: list[Part] = []
        end = 0
        for tag in _TAGS[self.kinds].finditer(text):
            if tag.start() > end:
                parts.append(text[end : tag.start()])
            parts.append(self.medium(tag[1], tag[2]) if tag[2] else self._next(tag[1]))
            end = tag.end()
        if text[end:]:
            parts.append(text[end:])
        return tuple(parts)

    def content(self, content: Any, column: str) -> tuple[Part, ...]:
        """The parts of a message's content.

        Raises:
            BadRow: `tags`, `model_token`, or the name of the column where it is neither text nor parts.
        """
        if isinstance(content, str):
            refuse_tokens(content)
            return self.tagged(content)
        if not isinstance(content, Sequence):
            raise BadRow(column, "a message without content")
        return tuple(self._typed(part, column) for part in content)

    def _typed(self, part: Any, column: str) -> Part:
        kind = part.get("type") if isinstance(part, Mapping) else None
        if kind == "text" and isinstance(part.get("text"), str):
            refuse_tokens(part["text"])
            return str(part["text"])
        of = _TYPES.get(kind) if isinstance(kind, str) else None
        if of not in self.kinds or of is None:
            raise BadRow(column, f"a part of type {kind!r}; only text and {', '.join(self.kinds)} are read")
        found = part.get(of) or part.get(f"{of}_url") or part.get("path") or part.get("url")
        found = found.get("url") if isinstance(found, Mapping) else found
        if found is None and self.waiting.get(of):
            return self._next(of)
        if isinstance(found, str) and not found.startswith("data:"):
            return self.medium(of, found)
        raise BadRow(column, f"the data of {of} inside the row; only paths and URLs are read")

    def _next(self, kind: str) -> Medium:
        waiting = self.waiting.get(kind)
        if not waiting:
            raise BadRow("tags", f"more <{kind}> tags than {NOUNS[kind]}")
        return waiting.pop(0)

    def check_all_taken(self) -> None:
        """Raise BadRow (`tags`) if media of the row are left that no tag names."""
        for kind, media in self.waiting.items():
            if media:
                raise BadRow("tags", f"{len(media)} more {NOUNS[kind]} than <{kind}> tags")


def refuse_tokens(text: str) -> None:
    """Raise BadRow (`model_token`): a token of a medium or a turn inside a text would be one to the model."""
    if "<|" in text and (token := _TOKEN.search(text)):
        raise BadRow("model_token", f"{token[0]} stands in a text; remove it")
