"""Self-consistency: of several answers to one question, the final answer that most of them give (Wang et al., 2022).

A final answer is what follows the chain of thought: the body of `<answer>` or `<RESPONSE>`, else the text after
`</think>`. It is compared without case, outer blanks and punctuation at its end; of a question with choices the text of
the one choice that it names, by letter or by words. An answer without one abstains: it is empty, its chain has no end,
or it names no choice or several. The plurality wins; of equally many, the answer that was seen first.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ..formats.cot.chain import options_in
from .completion import chain_and_answer

_OUTER = " \t\r\n.,;:!?。，；：！？、"


@dataclass(frozen=True, slots=True)
class Vote:
    """The outcome of a vote.

    Attributes:
        place: The first answer that gives the winner, counted from 0; None if all abstained.
        final: The final answer that won, as it was compared.
        votes: Answers that gave it.
        valid: Answers that did not abstain.
        asked: All answers.
    """

    place: int | None
    final: str | None
    votes: int
    valid: int
    asked: int

    @property
    def agreement(self) -> float | None:
        """The share of the winner among the answers that did not abstain; None if all did."""
        return self.votes / self.valid if self.valid else None

    @property
    def abstention(self) -> float:
        """The share of answers that abstained."""
        return 1 - self.valid / self.asked


@dataclass(frozen=True, slots=True)
class Gain:
    """What a vote over several answers to each question is worth, beside one answer alone.

    Attributes:
        questions: Questions with a reference and answers.
        voted: Share of questions whose voted answer is right; a vote in which all abstained is wrong.
        single: Share of right ones among all single answers, each question counting the same.
    """

    questions: int
    voted: float
    single: float

    @property
    def gain(self) -> float:
        return self.voted - self.single


def final_answer(text: str, choices: Sequence[str] = ()) -> str | None:
    """The final answer of a text as it is compared; None where it gives none."""
    said = chain_and_answer(text)[1]
    if choices:
        named = options_in(said.strip(), choices)
        if len(named) != 1 and len(said.strip(_OUTER)) == 1:  # `c.`: a letter alone, in lower case
            named = options_in(said.strip(_OUTER).upper(), choices)
        return normal(named[0]) if len(named) == 1 else None
    return normal(said) or None


def normal(text: str) -> str:
    """A final answer without case, outer blanks and punctuation at its end."""
    return text.strip().rstrip(_OUTER).casefold()


def vote(answers: Sequence[str], choices: Sequence[str] = ()) -> Vote:
    """Vote over the answers to one question."""
    finals = [final_answer(answer, choices) for answer in answers]
    counts = Counter(final for final in finals if final is not None)
    if not counts:
        return Vote(None, None, 0, 0, len(answers))
    # A counter keeps the order in which its keys came, and `max` takes the first of equals.
    winner = max(counts, key=lambda final: counts[final])
    return Vote(finals.index(winner), winner, counts[winner], counts.total(), len(answers))


def gain_of(questions: Iterable[tuple[Sequence[str], str, Sequence[str]]]) -> Gain | None:
    """The gain over questions, each with its answers, its reference and its choices; None without any."""
    voted = 0
    single = 0.0
    count = 0
    for answers, reference, choices in questions:
        right = final_answer(reference, choices) or normal(reference)
        finals = [final_answer(answer, choices) for answer in answers]
        voted += vote(answers, choices).final == right
        single += sum(final == right for final in finals) / len(finals)
        count += 1
    return Gain(count, voted / count, single / count) if count else None
