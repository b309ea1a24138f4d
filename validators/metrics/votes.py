"""Which of several answers a model means (self-consistency).

The one that most samples give wins, of equally many the one that came first; an answer without text, or that is none of
the options where there are some, abstains. answers.py says when two answers are the same.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from .answers import chain_and_answer, plain_answer


@dataclass(frozen=True, slots=True)
class Vote:
    """What several answers to one question agree on.

    Attributes:
        answer: The winner, as it was first given; None if all abstained.
        place: The number of the sample that first gave it, from 0.
        winner: How many gave it.
        valid: How many gave an answer at all.
        samples: How many there were.
    """

    answer: str | None
    place: int | None
    winner: int
    valid: int
    samples: int

    @property
    def agreement(self) -> float | None:
        """The winner's share of the valid votes."""
        return self.winner / self.valid if self.valid else None

    @property
    def abstention(self) -> float | None:
        """The share of samples without an answer."""
        return 1 - self.valid / self.samples if self.samples else None


def vote(answers: Sequence[str | None], choices: Sequence[str] = ()) -> Vote:
    """The answer that most of several samples give."""
    options = {plain_answer(choice) for choice in choices}
    told = ["" if each is None else plain_answer(chain_and_answer(each)[1], choices) for each in answers]
    valid = [each for each in told if each and (not options or each in options)]
    if not valid:
        return Vote(None, None, 0, 0, len(answers))
    [(best, count)] = Counter(valid).most_common(1)
    place = told.index(best)
    return Vote(answers[place], place, count, len(valid), len(answers))
