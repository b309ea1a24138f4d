"""Edit distance between a reference and a hypothesis, and the error rates that it gives.

The rate is (S + D + I) / N: substitutions, deletions and insertions of a shortest way from the reference to the
hypothesis, over the length of the reference (Wagner and Fischer, The String-to-String Correction Problem, 1974). Of
several shortest ways the one with most substitutions counts: it keeps most of the order of both texts.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

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
    """The edits from the reference to the hypothesis."""
    # Deletions and insertions cost one more than a substitution, which together weigh less than one edit: the cheapest
    # way is a shortest one, and of these the one with most substitutions.
    edit = len(reference) + len(hypothesis) + 1
    cost = int(_distance()(reference, hypothesis, weights=(edit + 1, edit + 1, edit)))
    total, unpaired = divmod(cost, edit)
    deletions = (unpaired + len(reference) - len(hypothesis)) // 2
    return Edits(total - unpaired, deletions, unpaired - deletions, len(reference))


@cache
def _distance() -> Callable[..., int]:
    from rapidfuzz.distance import Levenshtein

    return Levenshtein.distance


def units_of(text: str, language: str | None = None) -> list[str]:
    """What is compared: the words of a text without case and punctuation, or its characters in a language without
    spaces. Apostrophes and hyphens within words stay."""
    text = unicodedata.normalize("NFKC", text).casefold().replace("\u2019", "'")
    kept = [
        each if unicodedata.category(each)[0] in "LMN" or (each in _WITHIN_WORDS and _is_within(text, place)) else " "
        for place, each in enumerate(text)
    ]
    words = "".join(kept).split()
    return list("".join(words)) if is_unspaced(language) else words


def is_unspaced(language: str | None) -> bool:
    """Whether a language is written without spaces between words."""
    return (language or "").lower().replace("_", "-").partition("-")[0] in UNSPACED


def _is_within(text: str, place: int) -> bool:
    return text[place - 1 : place].isalnum() and text[place + 1 : place + 2].isalnum()


def error_rate(reference: str, hypothesis: str, language: str | None = None) -> float:
    """The word error rate of a text, or its character error rate in a language without spaces."""
    return count_edits(units_of(reference, language), units_of(hypothesis, language)).rate
