"""Scores of a pronunciation, from the alignment of the phones that were heard to those that should be said.

Phones are aligned by a shortest way (`validators/metrics/alignment.py`), silence included; then silence is no phone: a
phone that was heard as silence is left out, silence that was heard as a phone is one too many. Of N phones that should
be said C are right, S are others, D are left out; I are too many.

    accuracy      C / (C + S + I)      of what was said, the share that is right
    completeness  (C + S) / N          of what should be said, the share that was, rightly or not
    fluency       1 - (P + R) / (M - 1), at least 0

P are pauses: silence between the first and the last phone that should not be there. R are repetitions: phones too many
that are the phone before or after them; of several in a row that are all too many, one is none. M are the phones that
were heard: M - 1 places lie between them. Without a label of silence among the model's phones no pause can be heard,
and fluency is unknown.

The three names are those of the assessment of pronunciation in Azure AI Speech: there accuracy is the likeness of
phones to a native speaker's, completeness the share of words that were pronounced, and fluency the likeness of breaks
between words. Formulas over phones are Triptych's. They say how alike two sequences are, and
were never held against the marks of teachers.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Literal

from ....validators.metrics.alignment import align
from ..decoder import Heard

Operation = Literal["equal", "substitution", "deletion", "insertion", "silence", "pause"]


@dataclass(frozen=True, slots=True)
class AlignedPhone:
    """A phone that should be said beside one that was heard.

    Attributes:
        operation: `equal`, `substitution`, `deletion`, `insertion`; of silence `silence`, or `pause` where none should
            be.
        canonical, said: Empty where there is none.
        confidence: Of what was heard.
        goodness: Of what should be said; see decoder.py.
    """

    operation: Operation
    canonical: str
    said: str
    confidence: float | None = None
    goodness: float | None = None


@dataclass(frozen=True, slots=True)
class Pronunciation:
    """How a pronunciation is, and what that comes from.

    Attributes:
        accuracy, completeness, fluency: From 0 to 1; None: they are over nothing.
        goodness: The mean over the phones that should be said.
        correct, substitutions, deletions, insertions: C, S, D and I of this file's docstring.
        pauses, repetitions: P and R.
    """

    accuracy: float | None
    completeness: float | None
    fluency: float | None
    goodness: float | None
    correct: int
    substitutions: int
    deletions: int
    insertions: int
    pauses: int
    repetitions: int
    alignment: tuple[AlignedPhone, ...]


def assess(canonical: Sequence[str], heard: Heard, *, silence: Collection[str]) -> Pronunciation | None:
    """Score what was heard against what should be said. None: the two are too long to be aligned.

    Args:
        silence: The labels of silence that the model knows.
    """
    said = [each.phone for each in heard.phones]
    aligned = align(canonical, said)
    if aligned is None:
        return None
    rows = tuple(_placed(aligned, heard, frozenset(silence)))
    counts = {name: sum(row.operation == name for row in rows) for name in
              ("equal", "substitution", "deletion", "insertion", "pause")}  # fmt: skip
    c, s, d, i = (counts[name] for name in ("equal", "substitution", "deletion", "insertion"))
    repetitions = _repetitions(rows)
    goods = [each.goodness for each in heard.goodness if each.phone not in silence]
    return Pronunciation(
        accuracy=_share(c, c + s + i), completeness=_share(c + s, c + s + d),
        fluency=_fluency(counts["pause"] + repetitions, c + s + i) if silence else None,
        goodness=sum(goods) / len(goods) if goods else None, correct=c, substitutions=s, deletions=d, insertions=i,
        pauses=counts["pause"], repetitions=repetitions, alignment=rows,
    )  # fmt: skip


def _placed(aligned: Sequence[tuple[str, str, str]], heard: Heard, silence: frozenset[str]) -> list[AlignedPhone]:
    """The alignment with confidences, and with what silence means in it."""
    own = iter(heard.phones)
    goods = iter(heard.goodness)
    found: list[AlignedPhone] = []
    for operation, wanted, had in aligned:
        confidence = next(own).confidence if had else None
        good = next(goods, None) if wanted else None
        goodness = None if good is None else good.goodness
        kind = _kind(operation, wanted, had, silence)
        found.append(AlignedPhone(kind, wanted, had, confidence, goodness))
    spoken = [place for place, row in enumerate(found) if row.said and row.said not in silence]
    inside = range(spoken[0], spoken[-1]) if spoken else range(0)
    return [
        row if row.operation != "pause" or place in inside
        else AlignedPhone("silence", row.canonical, row.said, row.confidence, row.goodness)
        for place, row in enumerate(found)
    ]  # fmt: skip


def _kind(operation: str, wanted: str, had: str, silence: frozenset[str]) -> Operation:
    is_wanted, is_had = bool(wanted) and wanted not in silence, bool(had) and had not in silence
    if is_wanted and is_had:
        return "equal" if operation == "equal" else "substitution"
    if is_wanted:
        return "deletion"
    if is_had:
        return "insertion"
    return "pause" if had and not wanted else "silence"


def _repetitions(rows: Sequence[AlignedPhone]) -> int:
    said = [row for row in rows if row.operation in ("equal", "substitution", "insertion")]
    found = 0
    for _, run in groupby(said, key=lambda row: row.said):
        same = [row.operation == "insertion" for row in run]
        found += min(sum(same), len(same) - 1)
    return found


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _fluency(breaks: int, said: int) -> float | None:
    return max(0.0, 1 - breaks / (said - 1)) if said > 1 else None
