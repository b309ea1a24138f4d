"""What the readers of alignments yield: who said what when, by a name that is still to be matched with a sample."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from ...candidate import RawFile, Rejection

WORDS, PHONES = "words", "phones"


@dataclass(frozen=True, slots=True)
class Interval:
    """One aligned word or phone; seconds. `speaker` where the file tells speakers apart."""

    text: str
    start_s: float
    end_s: float
    speaker: str | None = None


@dataclass(slots=True)
class Aligned:
    """The alignment of one recording or utterance.

    Attributes:
        names: What the sample may be called, the most exact first.
        where: For messages: the file, and its line.
        tiers: `words` and `phones`, each in the order of time.
        channel: Where a file tells channels of one recording apart.
    """

    names: tuple[str, ...]
    where: str
    tiers: dict[str, list[Interval]] = field(default_factory=dict)
    channel: str | None = None


@dataclass(frozen=True, slots=True)
class AlignmentContext:
    """What a reader of alignments may know.

    Attributes:
        word_tier, phone_tier: Names of the tiers, or of CTM files, where they are not the usual ones.
        note: Takes a line for the user.
    """

    word_tier: str | None = None
    phone_tier: str | None = None
    note: Callable[[str], None] = lambda line: None


AlignmentReader = Callable[[Iterable[RawFile], AlignmentContext], Iterator[Aligned | Rejection]]
"""Files to alignments, in the order of the files."""
