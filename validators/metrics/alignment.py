"""Which words of a reference and a hypothesis stand for each other: the way whose edits `edits.py` counts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

Operation = Literal["equal", "substitution", "deletion", "insertion"]
Aligned = tuple[Operation, str, str]
"""An operation, what the reference has, and what the hypothesis has; empty where one has nothing."""

LARGEST = 4_000_000
"""Units of the reference times those of the hypothesis, beyond which an alignment takes too long."""


def align(reference: Sequence[str], hypothesis: Sequence[str]) -> list[Aligned] | None:
    """Align two sequences by a shortest way; of several the one with most substitutions. None if they are too long.

    A substitution costs one edit, a deletion or insertion a little more: together the little weighs less than an edit.
    """
    if len(reference) * len(hypothesis) > LARGEST:
        return None
    edit = len(reference) + len(hypothesis) + 1
    rows = [[place * (edit + 1) for place in range(len(hypothesis) + 1)]]
    for wanted in reference:
        above, row = rows[-1], [rows[-1][0] + edit + 1]
        for place, had in enumerate(hypothesis):
            pair = above[place] + (0 if wanted == had else edit)
            row.append(min(pair, above[place + 1] + edit + 1, row[place] + edit + 1))
        rows.append(row)
    return _back(reference, hypothesis, rows, edit)


def _back(reference: Sequence[str], hypothesis: Sequence[str], rows: list[list[int]], edit: int) -> list[Aligned]:
    """The way from the end to the start, in the order of the texts."""
    found: list[Aligned] = []
    left, right = len(reference), len(hypothesis)
    while left or right:
        here = rows[left][right]
        equal = left and right and reference[left - 1] == hypothesis[right - 1]
        if left and right and here == rows[left - 1][right - 1] + (0 if equal else edit):
            left, right = left - 1, right - 1
            found.append(("equal" if equal else "substitution", reference[left], hypothesis[right]))
        elif left and here == rows[left - 1][right] + edit + 1:
            left -= 1
            found.append(("deletion", reference[left], ""))
        else:
            right -= 1
            found.append(("insertion", "", hypothesis[right]))
    return found[::-1]
