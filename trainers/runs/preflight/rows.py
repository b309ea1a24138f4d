"""Rows as the model reads them: the text with its template, which of it is trained, and where media stand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from ...data.turns import Medium, Picture, Video

if TYPE_CHECKING:
    from ...data.training_row import TrainingRow

SHOWN = 2
"""Rows that are shown in full."""


class ShowingEncoder(Protocol):
    """An encoder that can say what a model reads of a row."""

    def encode(self, row: TrainingRow) -> Any: ...
    def marked_text(self, encoded: Any) -> Sequence[Any]: ...
    def expanse(self, medium: Medium) -> Any: ...
    def join(self, encoded: Sequence[Any]) -> dict[str, Any]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """A part of a row.

    Attributes:
        text: What is written; of media what they are and take, such as `sound: 3.2 s, 80 tokens`.
        tokens: Its tokens.
        is_trained: Whether the model learns to say it.
        is_media: Whether it stands for media.
    """

    text: str
    tokens: int
    is_trained: bool
    is_media: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownRow:
    """A row as the model reads it."""

    id: str
    stretches: tuple[Stretch, ...]

    @property
    def tokens(self) -> int:
        return sum(each.tokens for each in self.stretches)

    @property
    def trained(self) -> int:
        return sum(each.tokens for each in self.stretches if each.is_trained)

    @property
    def media(self) -> int:
        return sum(each.tokens for each in self.stretches if each.is_media)


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownBatch:
    """A batch.

    Attributes:
        rows: How many it has; `shown` are the first of them.
        tokens, trained, media: Tokens of its rows; those that are trained, and those that stand for media.
        padding: The share of its positions that is padding.
    """

    rows: int
    tokens: int
    trained: int
    media: int
    padding: float
    shown: tuple[ShownRow, ...]


def shown_row(row: TrainingRow, encoded: Any, encoder: ShowingEncoder) -> ShownRow:
    """A row that is encoded, in stretches."""
    marked = encoder.marked_text(encoded)
    places = [each for each in marked if each.is_placeholder]
    media = row.media
    # Sound within a video stands between its frames: then stretches are not media one by one.
    names = [_name_of(medium, encoder) for medium in media] if len(places) == len(media) else ["media"] * len(places)
    named = iter(names)
    stretches = []
    for each in marked:
        text = f"{next(named)}, {each.tokens:,} tokens" if each.is_placeholder else each.text
        stretches.append(
            Stretch(text=text, tokens=each.tokens, is_trained=each.is_trained, is_media=each.is_placeholder)
        )
    return ShownRow(id=row.id, stretches=tuple(stretches))


def shown_batch(rows: Sequence[ShownRow]) -> ShownBatch:
    """The rows of a batch, of which the first are shown."""
    tokens = sum(row.tokens for row in rows)
    width = max(row.tokens for row in rows)
    return ShownBatch(
        rows=len(rows), tokens=tokens, trained=sum(row.trained for row in rows), media=sum(row.media for row in rows),
        padding=1 - tokens / (width * len(rows)), shown=tuple(rows[:SHOWN]),
    )  # fmt: skip


def _name_of(medium: Medium, encoder: ShowingEncoder) -> str:
    if isinstance(medium, Picture):
        return "image"
    seconds = float(encoder.expanse(medium).seconds)
    kind = "video" if isinstance(medium, Video) else "sound"
    return f"{kind}: {seconds:.1f} s" if seconds else kind
