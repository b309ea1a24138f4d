"""The words of a transcript: as a pronunciation dictionary has them, and with times in the transcript's own spelling.

A transcript is split at white space. Punctuation around a word is no part of it, tags that stand for punctuation
(`<COMMA>`) and tokens without any letter or digit are no words. A word that the dictionary lacks is tried in its parts
at hyphens: `cold-hearted` is spoken as `cold hearted`, and gets one time, from the start of `cold` to the end of
`hearted`. Nothing is guessed: a number in digits, a tag or a name that the dictionary lacks is refused by name.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

from ....shards.text import is_unspaced
from ...candidate import RowError
from ...readers.alignments.interval import Interval

_PUNCTUATION_TAGS = frozenset({"<comma>", "<period>", "<questionmark>", "<exclamationpoint>"})
_SIDES = re.compile(r"^[^\w<\[{'’]+|[^\w>\]}'’.]+$")
_SPEAKABLE = re.compile(r"[\w'.-]+")
_APOSTROPHES = str.maketrans("’ʼ`´", "''''")
_PARTS = re.compile(r"[-‐‑–—/]+")
_NO_LETTER = re.compile(r"[\W_]+")
_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Word:
    """One word of a transcript, and what of it a dictionary is asked for, most specific first."""

    text: str
    spoken: str

    @property
    def spellings(self) -> tuple[str, ...]:
        """`u.s.` is another word than `us`, and `'em` than `em`; but the last word of a sentence is not `us.`."""
        return tuple(dict.fromkeys((self.spoken, *(self.spoken.strip(marks) for marks in (".", "'", "'.")))))


def words_of(text: str) -> list[Word]:
    """The words of a transcript in order, without the punctuation around them.

    Raises:
        RowError: `no_text`: there is no word.
    """
    words = []
    for token in text.split():
        if token.lower() in _PUNCTUATION_TAGS or not letters_of(token):
            continue
        inner = _SIDES.sub("", token)
        words.append(Word(_shown(inner), inner.lower().translate(_APOSTROPHES)))
    if not words:
        raise RowError("no_text", f"the text has no words: {text[:80]!r}")
    return words


def _shown(word: str) -> str:
    """The word without quotation marks around it, and without the full stop of a sentence."""
    if word[0] in "'’" and word[-1] in "'’" and len(word) > 1:
        word = word[1:-1]
    return word if "." in word.rstrip(".") else word.rstrip(".")


def in_dictionary(words: Sequence[Word], has: Callable[[str], bool]) -> list[list[str]]:
    """The dictionary's words for each word of a transcript.

    Raises:
        RowError: `unknown_word`: the dictionary has no pronunciation of some; all of them are named.
    """
    found = [_look_up(word, has) for word in words]
    unknown = dict.fromkeys(word.text for word, parts in zip(words, found, strict=True) if not parts)
    if unknown:
        raise unknown_words(list(unknown))
    return found


def unknown_words(words: Sequence[str]) -> RowError:
    """The refusal of a clip whose text has words without a pronunciation."""
    more = f" and {len(words) - _SHOWN} more" if len(words) > _SHOWN else ""
    return RowError("unknown_word", f"no pronunciation of {', '.join(words[:_SHOWN])}{more}: add it with --dictionary")


def _look_up(word: Word, has: Callable[[str], bool]) -> list[str]:
    for spelling in word.spellings:
        if _SPEAKABLE.fullmatch(spelling) and has(spelling):
            return [spelling]
    parts = [part for part in _PARTS.split(word.spellings[-1]) if part]
    return parts if len(parts) > 1 and all(map(has, parts)) else []


def in_own_spelling(words: Sequence[Word], spoken: Sequence[Interval]) -> list[Interval]:
    """The aligner's words as the transcript spells them: it may split a word or write it in lower case.

    Text without spaces between words keeps the aligner's words.

    Raises:
        RowError: `other_words`: the aligner's words are not those of the text.
    """
    left = iter(spoken)
    timed: list[Interval] = []
    for word in words:
        own = list(_taken(word, left))
        if is_unspaced(word.text):
            timed += own
        else:
            timed.append(Interval(word.text, own[0].start_s, own[-1].end_s))
    rest = next((each for each in left if letters_of(each.text)), None)
    if rest is not None:
        raise RowError("other_words", f"the aligner has {rest.text!r} after the last word of the text")
    return timed


def _taken(word: Word, left: Iterator[Interval]) -> Iterator[Interval]:
    """The aligner's words that spell one word of the transcript."""
    wanted, spelled = letters_of(word.spoken), ""
    while spelled != wanted:
        part = next(left, None)
        spelled += letters_of(part.text) if part is not None else ""
        if part is None or not wanted.startswith(spelled):
            raise RowError("other_words", f"the aligner has {'nothing' if part is None else repr(part.text)} "
                                          f"where the text has {word.text!r}")  # fmt: skip
        yield part


def letters_of(text: str) -> str:
    """The letters and digits of a text, in lower case."""
    return _NO_LETTER.sub("", text).lower()


def joined(parts: Sequence[Sequence[str]]) -> str:
    """The dictionary's words as one line."""
    return " ".join(chain.from_iterable(parts))
