"""Answers to questions: right or wrong.

    accuracy  the answer is the reference, character by character, but for white space before it: what Qwen2-Audio's
              scripts for MELD and VocalSound count
    answer    the same without case, outer white space and closing punctuation; of a question with choices the one
              that it names, by letter or by words: what votes compare
    mmar      the string match of the benchmarks MMAU and MMAR: every word of the right choice, and none that only a
              wrong one has
    mmsu      the letter of the benchmark MMSU: A to D as the first character of an answer, or as its last but one

The chain of thought in front of an answer and the tags around it are not part of it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from .edits import units_of
from .metric import Counted, Metric, Pair, share
from .vote import final_answer, normal

_MMAR_WORD = re.compile(r"\b\w+\b")
_LETTERS = "ABCD"


def accuracy() -> Metric:
    """Equality, but for white space before the answer; counts also those that are alike."""

    def count(pair: Pair) -> Counted:
        said = (pair.hypothesis or "").lstrip()
        right = pair.hypothesis is not None and said == pair.reference
        alike = right or (pair.hypothesis is not None and units_of(said) == units_of(pair.reference))
        return Counted((right, 1, alike), "rows", pair.reference, said)

    return Metric(name="accuracy", about="answers that are the reference exactly", rate=share, count=count,
                  fields=("correct", "rows", "equal_but_for_case_and_punctuation"))  # fmt: skip


def same_answer() -> Metric:
    """Equality of final answers, as votes compare them."""

    def count(pair: Pair) -> Counted:
        wanted = final_answer(pair.reference, pair.choices) or normal(pair.reference)
        said = None if pair.hypothesis is None else final_answer(pair.hypothesis, pair.choices)
        return Counted((said == wanted, 1), "rows", wanted, said or "")

    return Metric(name="answer", about="final answers that are the reference, but for case and closing punctuation",
                  fields=("correct", "rows"), count=count, rate=share)  # fmt: skip


def string_match() -> Metric:
    """MMAR's rule."""

    def count(pair: Pair) -> Counted:
        said = pair.hypothesis or ""
        right = pair.hypothesis is not None and names_choice(said, pair.reference, pair.choices)
        return Counted((right, 1), "rows", pair.reference, said.strip())

    return Metric(name="mmar", about="answers that name the right choice and no other (string match of MMAU and MMAR)",
                  fields=("correct", "rows"), count=count, rate=share)  # fmt: skip


def right_letter() -> Metric:
    """MMSU's rule; counts also the answers without a letter, which its script leaves out and which are wrong here."""

    def count(pair: Pair) -> Counted:
        said = (pair.hypothesis or "").strip().replace("\n", "")
        letter = letter_of(said)
        named = None if letter is None else dict(zip(_LETTERS, pair.choices, strict=False)).get(letter)
        no_letter = letter is None and said not in ("", "None")
        return Counted((named == pair.reference, 1, no_letter), "rows", pair.reference, letter or said)

    return Metric(name="mmsu", about="answers with the letter of the right choice where MMSU's script looks for it",
                  fields=("correct", "rows", "without_letter"), count=count, rate=share)  # fmt: skip


def letter_of(said: str) -> str | None:
    """The letter that an answer begins with (`B. male`), or that stands before its last character (`It is B.`)."""
    return next((each for each in (said[:1], said[-2:-1]) if each and each in _LETTERS), None)


def names_choice(said: str, right: str, choices: Sequence[str]) -> bool:
    """Whether a text has every word of the right choice, and none that is only in wrong ones."""
    had, wanted = _mmar_words(said), _mmar_words(right)
    others = [words for choice in choices if (words := _mmar_words(choice)) != wanted]
    wrong = frozenset[str]().union(*others) - wanted
    return bool(had) and wanted <= had and not wrong & had


def _mmar_words(text: str) -> frozenset[str]:
    return frozenset(_MMAR_WORD.findall(text.lower()))
