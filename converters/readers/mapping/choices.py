"""Choices with letters: read `A`, `(B)` or `C. a cat`, and part a question from the choices listed below it.

A prompt often contains its choices, in one of two styles:

    What is heard? (A) a dog (B) a cat               What is heard?
                                                     A. a dog
                                                     B. a cat

The letters must be A, B, C and so on to the last, and every choice has text; else the whole text is the question. What
follows the last choice on a line of its own is part of the question.
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Any

from ...candidate import bad_cell
from ..tables.cells import as_text

_LETTERED = re.compile(r"^\s*\(?([A-Z])[.):]\s*")
_ALONE = re.compile(r"\(?([A-Za-z])\)?")
_STYLES = (
    re.compile(r"(?:^|(?<=\s))\(([A-Z])\)[ \t]*", re.MULTILINE),
    re.compile(r"^[ \t]*([A-Z])[.):][ \t]+", re.MULTILINE),
)


def unlettered(text: str) -> str:
    """The text without the letter in front of it."""
    return _LETTERED.sub("", text)


def own_letter(text: str) -> str | None:
    """The letter in front of a choice."""
    found = _LETTERED.match(text)
    return found[1] if found else None


def letter(value: Any, column: str) -> str:
    """The letter of a choice: `A` from 0, `0`, `A`, `A.` or `A. a cat`."""
    number = as_text(value) or ""
    if re.fullmatch(r"\d+(\.0)?", number) and int(float(number)) < 26:
        return chr(ord("A") + int(float(number)))
    found = _ALONE.fullmatch(number.strip()) or _LETTERED.match(number)
    if found is None:
        raise bad_cell(column, value, "a letter or index of a choice")
    return found[1].upper()


def choice(value: Any, choices: Any, column: str) -> str | None:
    """The text of the choice with this letter or index; a text that is itself a choice is returned unchanged.

    Raises:
        RowError: There is no such choice, or the text after the letter is that of another one.
    """
    if value is None or value == "":
        return None
    texts = [as_text(item) or "" for item in choices or []]
    if isinstance(value, str) and value in texts:
        return value
    named = letter(value, column)
    own = [own_letter(text) for text in texts]
    is_number = not isinstance(value, str) or value.strip()[:1].isdecimal()
    if is_number or len({*own} - {None}) < len(texts):  # else the choices say their letters, in any order
        own = [chr(ord("A") + number) for number in range(len(texts))]
    if named not in own:
        raise bad_cell(column, value, f"one of {len(texts)} choices")
    index = own.index(named)
    said = unlettered(value) if isinstance(value, str) and _LETTERED.match(value) else ""
    if said and _plain(said) != _plain(texts[index]):
        raise bad_cell(column, value, f"the text of its choice, {texts[index]!r}")
    return texts[index]


def named_choice(value: Any, choices: Any, column: str) -> Any:
    """The choice that an answer names by its letter, `B` or `(B) a cat`; an answer in other words is unchanged.

    Raises:
        RowError: There is no such choice, or the text after the letter is that of another one.
    """
    lettered = isinstance(value, str) and (_ALONE.fullmatch(value.strip()) or _LETTERED.match(value))
    return choice(value, choices, column) if lettered and choices else value


def letter_of(value: Any, choices: Any, column: str) -> str | None:
    """The letter of the choice with this text."""
    if value is None or value == "":
        return None
    texts = [(as_text(item) or "").strip() for item in choices or []]
    text = (as_text(value) or "").strip()
    if text not in texts:
        raise bad_cell(column, value, "the text of a choice")
    return chr(ord("A") + texts.index(text))


def parted(text: str) -> tuple[str, list[str]]:
    """The question in a text and its choices without letters; no choices if the text lists none."""
    for style in _STYLES:
        marks = list(style.finditer(text))
        first = max((place for place, mark in enumerate(marks) if mark[1] == "A"), default=len(marks))
        marks = marks[first:]
        if len(marks) < 2 or any(ord(mark[1]) - ord("A") != place for place, mark in enumerate(marks)):
            continue
        last, _, rest = text[marks[-1].end() :].partition("\n")
        between = (text[mark.end() : following.start()] for mark, following in pairwise(marks))
        choices = [each.strip() for each in (*between, last)]
        if all(choices):
            return "\n".join(filter(None, (text[: marks[0].start()].strip(), rest.strip()))), choices
    return text, []


def _plain(text: str) -> str:
    """A text as far as it must be equal to be the same choice: `The dog.` and `the dog` are."""
    return re.sub(r"\W+", "", text.casefold()) or text
