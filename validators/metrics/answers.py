"""Answers to questions: right or wrong.

    accuracy  the answer is the reference, character by character, but for white space before it: what Qwen2-Audio's
              scripts for MELD and VocalSound count
    answer    the same without case, outer white space and closing punctuation; the letter of an option is that option
    mmar      the string match of the benchmark MMAR: every word of the right choice, and none that only a wrong one has

The chain of thought in front of an answer and the tags around it are not part of it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from .edits import units_of
from .metric import Counted, Metric, Pair, share

_CLOSING = re.compile(r"[\s.,;:!?。，；：！？、]+\Z")
_LETTER = re.compile(r"[(\[（]?([a-z])[)\]）]?(?:[.:：)）]\s*(.*))?", re.DOTALL)
_OPEN, _CLOSE = re.compile(r"<think>", re.IGNORECASE), re.compile(r"</think>", re.IGNORECASE)
_BODY = re.compile(r"<(answer|response)>(.*?)</\1>", re.IGNORECASE | re.DOTALL)
_MARKUP = re.compile(r"</?(?:think|planning|caption|reasoning|summary|response|answer)>", re.IGNORECASE)
_MMAR_WORD = re.compile(r"\b\w+\b")


def chain_and_answer(text: str) -> tuple[str | None, str]:
    """The chain of thought of a completion without its tags, None if it has none, and what it answers.

    The answer is the last `<answer>` or `<RESPONSE>`, else all that follows the chain; a chain without an end has none.
    Templates may open the chain themselves, so that a completion has only its end.
    """
    ends = [*_CLOSE.finditer(text)]
    chain = text[: ends[-1].start()] if ends else None
    said = text[ends[-1].end() :] if ends else text
    if opened := _OPEN.search(said):
        return _MARKUP.sub(" ", said[opened.end() :]).strip(), ""
    bodies = [match[2].strip() for match in _BODY.finditer(said)]
    return None if chain is None else _MARKUP.sub(" ", chain).strip(), bodies[-1] if bodies else said


def plain_answer(text: str, choices: Sequence[str] = ()) -> str:
    """A final answer as it is compared: the option it names, else itself without case and closing punctuation."""
    said = _CLOSING.sub("", text.strip()).casefold()
    told = [_CLOSING.sub("", choice.strip()).casefold() for choice in choices]
    if said in told or not told:
        return said
    match = _LETTER.fullmatch(said)
    place = ord(match[1]) - ord("a") if match else len(told)
    # `B. a dog` is the second option only if that is a dog.
    return told[place] if match and place < len(told) and match[2] in (None, "", told[place]) else said


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
    """Equality of final answers without case and closing punctuation; a letter is its option."""

    def count(pair: Pair) -> Counted:
        wanted = plain_answer(pair.reference, pair.choices)
        said = "" if pair.hypothesis is None else plain_answer(pair.hypothesis, pair.choices)
        right = pair.hypothesis is not None and said == wanted
        return Counted((right, 1), "rows", wanted, said)

    return Metric(name="answer", about="answers that are the reference, but for case and closing punctuation",
                  fields=("correct", "rows"), count=count, rate=share)  # fmt: skip


def string_match() -> Metric:
    """MMAR's rule."""

    def count(pair: Pair) -> Counted:
        said = pair.hypothesis or ""
        right = pair.hypothesis is not None and names_choice(said, pair.reference, pair.choices)
        return Counted((right, 1), "rows", pair.reference, said.strip())

    return Metric(name="mmar", about="answers that name the right choice and no other (MMAR's string match)",
                  fields=("correct", "rows"), count=count, rate=share)  # fmt: skip


def names_choice(said: str, right: str, choices: Sequence[str]) -> bool:
    """Whether a text has every word of the right choice, and none that is only in wrong ones."""
    had, wanted = _mmar_words(said), _mmar_words(right)
    others = [words for choice in choices if (words := _mmar_words(choice)) != wanted]
    wrong = frozenset[str]().union(*others) - wanted
    return bool(had) and wanted <= had and not wrong & had


def _mmar_words(text: str) -> frozenset[str]:
    return frozenset(_MMAR_WORD.findall(text.lower()))
