"""The output of alignment readers: timed words and phones, by a name yet to be matched with a sample."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from ...candidate import RawFile, Rejection

WORDS, PHONES = "words", "phones"


@dataclass(frozen=True, slots=True)
class Interval:
    """One aligned word or phone; times in seconds. `speaker` is set if the file distinguishes speakers."""

    text: str
    start_s: float
    end_s: float
    speaker: str | None = None


@dataclass(slots=True)
class Aligned:
    """The alignment of one recording or utterance.

    Attributes:
        names: Possible names of the sample, the most specific first.
        where: For messages: the file, and its line.
        tiers: `words` and `phones`, each sorted by time.
        channel: Set if the file distinguishes channels of one recording.
    """

    names: tuple[str, ...]
    where: str
    tiers: dict[str, list[Interval]] = field(default_factory=dict)
    channel: str | None = None


@dataclass(frozen=True, slots=True)
class AlignmentContext:
    """What an alignment reader knows about its import.

    Attributes:
        word_tier, phone_tier: Names of the tiers, or of CTM files, if they are not the usual ones.
        note: Takes a line for the user.
    """

    word_tier: str | None = None
    phone_tier: str | None = None
    note: Callable[[str], None] = lambda line: None


AlignmentReader = Callable[[Iterable[RawFile], AlignmentContext], Iterator[Aligned | Rejection]]
"""Files to alignments, in the order of the files."""


def as_json(intervals: Iterable[Interval]) -> str:
    """The value of the annotations `words` and `phones`."""
    listed = [{"text": each.text, "start_s": each.start_s, "end_s": each.end_s} for each in intervals]
    return json.dumps(listed, ensure_ascii=False)
