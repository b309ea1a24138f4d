"""Terms in speech: the tokens of words, the phrases of a glossary among them, and which terms are worth training on.

Views cut chunks with it and validators check them, so that both mean the same by "this text names that term". The
rules are those of InfiniSST's term preparation: whole words, the longest phrase first, at most five words, some
words no term.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any

LONGEST = 5
"""Words of a phrase; longer ones are never looked for."""
LONGEST_UNSPACED = 20
"""Characters of a phrase in a script without spaces, each of which is a token."""

SILENCES = frozenset({"", "<sil>", "sil", "<s>", "</s>", "sp", "<eps>"})
"""Texts of intervals that are no words."""

_UNSPACED = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_TOKENS = re.compile(rf"[{_UNSPACED}]|(?:(?![{_UNSPACED}])[\w'])+")
_TAG = re.compile(r"<[^<>]*>")
_PUNCTUATION = {"<comma>": ",", "<period>": ".", "<questionmark>": "?"}
_NUMBER = re.compile(r"[\d,]+")
_BETWEEN_UNSPACED = re.compile(rf"(?<=[{_UNSPACED}]) (?=[{_UNSPACED}])")

NO_TERMS = frozenset(
    line.split("\t")[0]
    for line in resources.files(__package__).joinpath("no_terms.tsv").read_text(encoding="utf-8").splitlines()[1:]
)
"""Single words that are no terms, in lower case."""


def plain(text: str) -> str:
    """A text in lower case with single spaces, punctuation in place of its tags, and no other tags."""
    lower = _TAG.sub(lambda tag: _PUNCTUATION.get(tag[0], " "), text.lower().replace("\u2019", "'"))
    return " ".join(lower.split())


def tokens_of(text: str) -> tuple[str, ...]:
    """The words of a text, in lower case; characters of scripts without spaces are words of their own."""
    return tuple(_TOKENS.findall(plain(text)))


def is_phrase(value: str) -> bool:
    """Whether a phrase can stand for a term: it is no number and none of the words that name nothing."""
    phrase = plain(value)
    return len(phrase) > 1 and _NUMBER.fullmatch(phrase) is None and phrase not in NO_TERMS


def is_term(value: Any) -> bool:
    """Whether a phrase is worth training on: long enough, not mostly digits, none of the words that name nothing."""
    if not isinstance(value, str) or not is_phrase(value):
        return False
    term = plain(value)
    if len(term) < (2 if re.search(f"[{_UNSPACED}]", term) else 3):
        return False
    if sum(character.isdigit() for character in term) > len(term) // 2:
        return False
    return not term.startswith(("yeah", "this ")) and not term.endswith("years")


def phrase_of(term: str) -> tuple[str, ...]:
    """The tokens by which a term is found: those before its first comma, for `geneva, switzerland`."""
    return tokens_of(plain(term).split(",")[0])


def can_be_found(phrase: Sequence[str]) -> bool:
    """Whether a phrase is short enough to be looked for."""
    unspaced = sum(re.fullmatch(f"[{_UNSPACED}]", token) is not None for token in phrase)
    return 0 < len(phrase) - unspaced <= LONGEST or (unspaced == len(phrase) and 0 < unspaced <= LONGEST_UNSPACED)


@dataclass(frozen=True, slots=True)
class Match:
    """A term in a sequence of words: its label, and its first and last word."""

    label: str
    first: int
    last: int


class Phrases:
    """The phrases of a glossary and the labels of their terms, to be found in words."""

    def __init__(self, labels: Mapping[tuple[str, ...], str]) -> None:
        self._labels = dict(labels)
        self._lengths: dict[str, list[int]] = {}
        for phrase in sorted(self._labels, key=len, reverse=True):
            lengths = self._lengths.setdefault(phrase[0], [])
            if len(phrase) not in lengths:
                lengths.append(len(phrase))

    def all_in(self, words: Sequence[str]) -> list[Match]:
        """Every place where a phrase stands as whole words, also inside a longer one; in order."""
        tokens, owners = _flat(words)
        found = []
        for start in _word_starts(owners):
            for length in self._lengths.get(tokens[start], ()):
                end = start + length
                if end > len(tokens):
                    continue
                label = self._labels.get(tuple(tokens[start:end]))
                if label is not None and (end == len(tokens) or owners[end] != owners[end - 1]):
                    found.append(Match(label, owners[start], owners[end - 1]))
        return found

    def longest_in(self, words: Sequence[str]) -> list[Match]:
        """The terms that words name: the longest phrases first, none over another; in order."""
        taken: set[int] = set()
        kept = []
        for match in sorted(self.all_in(words), key=lambda each: (each.first - each.last, each.first)):
            places = range(match.first, match.last + 1)
            if taken.isdisjoint(places):
                taken.update(places)
                kept.append(match)
        return sorted(kept, key=lambda each: each.first)

    def named_in(self, text: str) -> set[str]:
        """The labels of all terms that a text names."""
        return {match.label for match in self.all_in(text.split())}


def _flat(words: Iterable[str]) -> tuple[list[str], list[int]]:
    """The tokens of words and the word of each; a word without any is a token that no phrase has."""
    tokens, owners = [], []
    for number, word in enumerate(words):
        for token in tokens_of(word) or ("",):
            tokens.append(token)
            owners.append(number)
    return tokens, owners


def _word_starts(owners: Sequence[int]) -> Iterator[int]:
    return (place for place, owner in enumerate(owners) if not place or owners[place - 1] != owner)


def joined(words: Iterable[str]) -> str:
    """Words as one text in lower case, without spaces between characters of scripts that have none."""
    return _BETWEEN_UNSPACED.sub("", " ".join(filter(None, map(plain, words))))
