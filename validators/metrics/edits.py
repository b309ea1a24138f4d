"""Edit distance between a reference and a hypothesis, and the error rates that it gives.

The rate is (S + D + I) / N: substitutions, deletions and insertions of a shortest way from the reference to the
hypothesis, over the length of the reference (Wagner and Fischer, The String-to-String Correction Problem, 1974). Of
several shortest ways the one with most substitutions counts: it keeps most of the order of both texts.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

UNSPACED = frozenset({"zh", "cmn", "yue", "wuu", "ja", "th", "lo", "km", "my", "bo"})
"""Languages written without spaces between words: their characters are compared."""

_WITHIN_WORDS = "'-"


@dataclass(frozen=True, slots=True)
class Edits:
    """A shortest way from a reference of `length` units to a hypothesis."""

    substitutions: int
    deletions: int
    insertions: int
    length: int

    @property
    def total(self) -> int:
        return self.substitutions + self.deletions + self.insertions

    @property
    def rate(self) -> float:
        """Edits over the length of the reference; of an empty reference 0, or infinity if anything was said."""
        if self.length:
            return self.total / self.length
        return float("inf") if self.total else 0.0


def count_edits(reference: Sequence[str], hypothesis: Sequence[str]) -> Edits:
    """The edits from the reference to the hypothesis; memory grows with the hypothesis only."""
    # Of each prefix of the hypothesis: edits, and of equal ones the fewest deletions, which are the most substitutions.
    row = [(count, 0, count) for count in range(len(hypothesis) + 1)]  # total, deletions, insertions
    for wanted in reference:
        total, deletions, insertions = row[0]
        diagonal, row[0] = row[0], (total + 1, deletions + 1, insertions)
        for place, had in enumerate(hypothesis, start=1):
            above, left = row[place], row[place - 1]
            row[place], diagonal = (
                min(
                    (diagonal[0] + (wanted != had), diagonal[1], diagonal[2]),
                    (above[0] + 1, above[1] + 1, above[2]),
                    (left[0] + 1, left[1], left[2] + 1),
                ),
                above,
            )
    total, deletions, insertions = row[-1]
    return Edits(total - deletions - insertions, deletions, insertions, len(reference))


def units_of(text: str, language: str | None = None) -> list[str]:
    """What is compared: the words of a text without case and punctuation, or its characters in a language without
    spaces. Apostrophes and hyphens within words stay."""
    text = unicodedata.normalize("NFKC", text).casefold().replace("\u2019", "'")
    kept = [
        each if unicodedata.category(each)[0] in "LMN" or (each in _WITHIN_WORDS and _is_within(text, place)) else " "
        for place, each in enumerate(text)
    ]
    words = "".join(kept).split()
    if (language or "").lower().replace("_", "-").partition("-")[0] in UNSPACED:
        return list("".join(words))
    return words


def _is_within(text: str, place: int) -> bool:
    return text[place - 1 : place].isalnum() and text[place + 1 : place + 2].isalnum()


def error_rate(reference: str, hypothesis: str, language: str | None = None) -> float:
    """The word error rate of a text, or its character error rate in a language without spaces."""
    return count_edits(units_of(reference, language), units_of(hypothesis, language)).rate
