"""A corpus that a layout writes down, and what a layout is."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from truth.forms import FORMS, encoded, written
from truth.spellings import SPELLINGS
from truth.utterances import MONO, Media, Utterance


@dataclass(frozen=True)
class Corpus:
    """What a layout writes down.

    Attributes:
        spelling: How spans are spelled, where the layout does not fix it: a key of `SPELLINGS`.
        column: The column of the media, where the layout does not fix it: `audio` or `video`.
        channel_column: The column of the channel, where the layout does not fix it.
    """

    folder: Path
    utterances: tuple[Utterance, ...]
    media: Media = MONO
    spelling: str = "start_s, end_s"
    column: str = "audio"
    channel_column: str = "channel"

    def data(self, utterance: Utterance) -> bytes:
        """The whole file of an utterance's clip."""
        return encoded(self.media.form, utterance.clip, self.media.channels)

    def name(self, utterance: Utterance) -> str:
        return f"clip{utterance.clip}.{FORMS[self.media.form].extension}"

    def place(self, utterance: Utterance) -> str:
        """The file of an utterance's clip, relative to the folder; it is written."""
        written(self.folder / "media", self.media.form, utterance.clip, self.media.channels)
        return f"media/{self.name(utterance)}"

    def spans(self, utterance: Utterance) -> dict[str, Any]:
        """The columns that state the span and the channel of an utterance."""
        columns = SPELLINGS[self.spelling](utterance.start_s, utterance.end_s) if not is_uncut(utterance) else {}
        return columns if utterance.channel is None else columns | {self.channel_column: utterance.channel}

    def rows(self, **columns: Callable[[Utterance], Any]) -> list[dict[str, Any]]:
        """A row per utterance: `id`, these columns, the span."""
        return [
            {"id": each.name, **{name: value(each) for name, value in columns.items()}, **self.spans(each)}
            for each in self.utterances
        ]

    def path(self, name: str) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def lines(self, name: str, rows: list[dict[str, Any]]) -> Path:
        """Rows as JSON Lines."""
        path = self.path(name)
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        return path


def is_uncut(utterance: Utterance) -> bool:
    return utterance.start_s is None and utterance.end_s is None


@dataclass(frozen=True)
class Layout:
    """One layout of one reader.

    Attributes:
        reader: Key of `READERS`.
        write: Writes a corpus; returns the path to read.
        format: The `import` format; None: a card names the reader, and the layout is pulled.
        card: The reader's options on that card.
        spans, channels: Whether the layout can state them.
        spelled: Whether spans are spelled by the writer of the data, not by the format.
        channel_column: Of the audio channel; `channel` is something else in the training files of ms-swift.
        film: Whether the layout holds films only.
        prompted: Whether its task has a prompt; without one a sample has no row in views of conversations.
        split: The split of its samples, if that is not `train`.
        options: Of the import.
    """

    reader: str
    write: Callable[[Corpus], Path]
    format: str | None = None
    card: Mapping[str, Any] = field(default_factory=dict)
    spans: bool = True
    channels: bool = True
    spelled: bool = False
    channel_column: str = "channel"
    film: bool = False
    prompted: bool = True
    split: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)

    def options_of(self, spans: Mapping[str, Any]) -> dict[str, Any]:
        """The reader's options on a card that maps these columns to a span."""
        card = dict(self.card)
        if "columns" in card:
            return card | {"columns": {**card["columns"], **spans}}
        return card | spans if self.reader == "columns" else card


def text_of(utterance: Utterance) -> str:
    return utterance.text
