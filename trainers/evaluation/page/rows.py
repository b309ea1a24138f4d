"""The rows that the page shows: the worst of each metric, each with its clip and the difference of its texts."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from ....errors import UsageError
from ....validators.metrics.alignment import Aligned, align
from ...pages.document import visible
from ...pages.media import MB, MediaFolder, load_medium
from ..scores import RowScore, Score, ScoredRow, Scores
from .plots import key_of

LARGEST_MEDIA_MB = 40
"""Together, in the page; later rows have the path of their clip only."""

LONGEST_TEXT = 4_000
LONGEST_ALIGNMENT = 600
"""Characters of a text, and columns of a difference, that the page shows."""


@dataclass(frozen=True, slots=True)
class Clip:
    """The clip of a row.

    Attributes:
        source: What its player plays; empty where there is none.
        anchor: The name of its player, which only the first row of a clip has: a page holds each clip once.
        silent: Why there is no player at all.
    """

    kind: str = "audio"
    source: str = ""
    anchor: str = ""
    silent: str = ""


@dataclass(frozen=True, slots=True)
class ShownRow:
    """One row on the page.

    Attributes:
        clip: The clip and its player.
        difference: The texts that were compared, aligned; None where they are not compared unit by unit.
    """

    row: ScoredRow
    score: RowScore
    clip: Clip
    difference: Sequence[Aligned] | None
    cut: int


@dataclass(slots=True)
class Clips:
    """The clips of the page, up to a total size, each embedded or copied once."""

    media: MediaFolder
    folders: Sequence[Path]
    shown: dict[str, Clip] = field(default_factory=dict)

    def take(self, row: ScoredRow) -> Clip:
        """The clip of a row, with a player the first time."""
        if row.audio is None:
            return Clip()
        if row.audio in self.shown:
            return replace(self.shown[row.audio], source="")
        clip = self._take(row.audio, row.where)
        self.shown[row.audio] = clip
        return clip

    def _take(self, audio: str, where: str) -> Clip:
        if "://" in audio:
            return Clip(silent="a link, which this page does not load")
        path = next((folder / audio for folder in self.folders if (folder / audio).is_file()), None)
        if path is None:
            return Clip(silent="there is no such file")
        try:
            medium = load_medium(path, None, where=where)
        except UsageError as error:
            return Clip(silent=error.message)
        if self.media.embed and self.media.written + medium.length * 4 / 3 > LARGEST_MEDIA_MB * MB:
            return Clip(silent=f"not in the page, which would hold more than {LARGEST_MEDIA_MB} MB of clips")
        return Clip(medium.kind, self.media.sources[self.media.add(medium)], f"clip-{len(self.shown) + 1}")


def worst_rows(scores: Scores, count: int, clips: Clips) -> Iterator[tuple[Score, list[ShownRow], int]]:
    """Of each kind of score the rows with the worst scores, worst first, and how many are not right."""
    for score in scores.scores:
        if score.by:
            continue
        own = [(row, each) for row in scores.rows for each in row.scores if key_of(each) == key_of(score)]
        wrong = [(row, each) for row, each in own if row.prediction is not None and not _is_right(each, score)]
        wrong.sort(key=lambda pair: _rank(pair[1], score))
        yield score, [_shown(row, each, clips) for row, each in wrong[:count]], len(wrong)


@dataclass(frozen=True, slots=True)
class Changes:
    """How many rows are better and worse than with the other predictions, and the rows that lose most."""

    score: Score
    better: int
    worse: int
    rows: Sequence[ShownRow]


def changed_rows(scores: Scores, count: int, clips: Clips) -> Iterator[Changes]:
    """Of each kind of score the rows that both files predict, beside those of the other predictions."""
    for score in scores.scores if scores.against is not None else ():
        if score.by:
            continue
        sign = 1 if score.better == "low" else -1
        losses = [
            (sign * (each.value - each.other), row, each)
            for row in scores.rows
            for each in row.scores
            if key_of(each) == key_of(score) and None not in (row.prediction, row.other)
            if each.value is not None and each.other is not None
        ]
        worse = sorted((each for each in losses if each[0] > 0), key=lambda each: -each[0])
        shown = [_shown(row, each, clips) for _, row, each in worse[:count]]
        yield Changes(score, sum(loss < 0 for loss, _, _ in losses), len(worse), shown)


def _is_right(each: RowScore, score: Score) -> bool:
    """Whether nothing is wrong; equal texts are right, though BLEU gives fewer than four words no points."""
    if each.reference == each.hypothesis:
        return True
    if score.better == "low":
        return each.value == 0
    return each.value is not None and each.value >= score.most - 1e-9


def _rank(each: RowScore, score: Score) -> tuple[float, float]:
    """The worst first; of equal ones the longest, in which most is wrong. A rate of nothing is infinite."""
    value = math.inf if each.value is None else each.value
    return (-value if score.better == "low" else value), -len(each.reference)


def _shown(row: ScoredRow, each: RowScore, clips: Clips) -> ShownRow:
    difference = None if each.unit == "rows" else align(_units(each.reference, each), _units(each.hypothesis, each))
    cut = max(0, len(difference or ()) - LONGEST_ALIGNMENT)
    made_visible = None if difference is None else [
        (operation, visible(wanted), visible(had)) for operation, wanted, had in difference[:LONGEST_ALIGNMENT]
    ]  # fmt: skip
    return ShownRow(row, each, clips.take(row), made_visible, cut)


def _units(text: str, each: RowScore) -> list[str]:
    return list(text) if each.unit == "characters" else text.split()


def shortened(text: str) -> str:
    """A text as the page shows it."""
    more = len(text) - LONGEST_TEXT
    return visible(text if more <= 0 else f"{text[:LONGEST_TEXT]} ... ({more:,} more characters)")
