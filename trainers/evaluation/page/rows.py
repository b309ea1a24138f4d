"""The rows that the page shows: the worst of each metric, each with its clip and the difference of its texts."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
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
class ShownRow:
    """One row on the page.

    Attributes:
        source: What the player plays; empty if the clip is not in the page, for the reason `silent`.
        difference: The texts that were compared, aligned; None where they are not compared unit by unit.
    """

    row: ScoredRow
    score: RowScore
    kind: str
    source: str
    silent: str
    difference: Sequence[Aligned] | None
    cut: int


@dataclass(slots=True)
class Clips:
    """The clips of the page, up to a total size, each embedded or copied once."""

    media: MediaFolder
    folders: Sequence[Path]
    shown: dict[str, tuple[str, str, str]] = field(default_factory=dict)

    def take(self, row: ScoredRow) -> tuple[str, str, str]:
        """Kind, source, and why there is none."""
        if row.audio is None:
            return "audio", "", ""
        if row.audio not in self.shown:
            self.shown[row.audio] = self._take(row.audio, row.where)
        return self.shown[row.audio]

    def _take(self, audio: str, where: str) -> tuple[str, str, str]:
        if "://" in audio:
            return "audio", "", "a link, which this page does not load"
        path = next((folder / audio for folder in self.folders if (folder / audio).is_file()), None)
        if path is None:
            return "audio", "", "there is no such file"
        try:
            medium = load_medium(path, None, where=where)
        except UsageError as error:
            return "audio", "", error.message
        if self.media.embed and self.media.written + medium.length * 4 / 3 > LARGEST_MEDIA_MB * MB:
            return "audio", "", f"not in the page, which would hold more than {LARGEST_MEDIA_MB} MB of clips"
        return medium.kind, self.media.sources[self.media.add(medium)], ""


def worst_rows(scores: Scores, count: int, clips: Clips) -> Iterator[tuple[Score, list[ShownRow], int]]:
    """Of each kind of score the rows with the worst scores, worst first, and how many are not right."""
    for score in scores.scores:
        if score.by:
            continue
        own = [(row, each) for row in scores.rows for each in row.scores if key_of(each) == key_of(score)]
        wrong = [(row, each) for row, each in own if row.prediction is not None and not _is_right(each, score)]
        wrong.sort(key=lambda pair: _rank(pair[1], score))
        yield score, [_shown(row, each, clips) for row, each in wrong[:count]], len(wrong)


def _is_right(each: RowScore, score: Score) -> bool:
    """Whether nothing is wrong; equal texts are right, though BLEU gives fewer than four words no points."""
    if each.reference == each.hypothesis:
        return True
    if score.better == "low":
        return each.value == 0
    return each.value is not None and each.value >= (100 if score.scale == "points" else 1) - 1e-9


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
    return ShownRow(row, each, *clips.take(row), made_visible, cut)


def _units(text: str, each: RowScore) -> list[str]:
    return list(text) if each.unit == "characters" else text.split()


def shortened(text: str) -> str:
    """A text as the page shows it."""
    more = len(text) - LONGEST_TEXT
    return visible(text if more <= 0 else f"{text[:LONGEST_TEXT]} ... ({more:,} more characters)")
