"""Text as the views and the checks need it: the corpus's own habits undone, never the words.

`raw` is what the corpus says. `clean` is what a model should read and write: lower case where the card says that the
corpus is upper case throughout, no spaces between Chinese characters, `<COMMA>`-like tags turned into punctuation,
white space folded. The same rules as SQL expressions for whole tables and as functions for one text; a test holds the
two equal.
"""

from __future__ import annotations

import re

TAGS = {"<COMMA>": ",", "<PERIOD>": ".", "<QUESTIONMARK>": "?", "<EXCLAMATIONPOINT>": "!"}
"""Punctuation tags of GigaSpeech and its kin, in the corpus's own spelling."""

# Han, kana, CJK and full-width punctuation: scripts written without spaces.
UNSPACED = r"\x{2E80}-\x{303F}\x{3040}-\x{30FF}\x{3400}-\x{4DBF}\x{4E00}-\x{9FFF}\x{F900}-\x{FAFF}\x{FF00}-\x{FFEF}"
# Unicode white space, spelled out because RE2's \s is ASCII only.
SPACE = r"[\t\n\x{0B}\f\r \x{85}\x{A0}\x{1680}\x{2000}-\x{200A}\x{2028}\x{2029}\x{202F}\x{205F}\x{3000}]"


def _python_class(expression: str) -> str:
    return re.sub(r"\\x\{([0-9A-F]+)\}", lambda match: re.escape(chr(int(match[1], 16))), expression)


_SPACES = re.compile(f"{_python_class(SPACE)}+")
_SPACE_BEFORE_MARK = re.compile(r" +([,.?!])")
_BETWEEN_UNSPACED = re.compile(f"([{_python_class(UNSPACED)}]) (?=[{_python_class(UNSPACED)}])")


def clean(text: str, *, upper: bool = False) -> str:
    """The clean form of one text; `upper` says that the corpus writes upper case throughout."""
    for tag, mark in TAGS.items():
        text = text.replace(tag, mark)
    text = _SPACES.sub(" ", text).strip(" ")
    text = _SPACE_BEFORE_MARK.sub(r"\1", text)
    text = _BETWEEN_UNSPACED.sub(r"\1", text)
    return _lower(text) if upper else text


def is_blank(text: str) -> bool:
    """Whether a text holds nothing but white space."""
    return not _SPACES.sub("", text)


def _lower(text: str) -> str:
    """Letter by letter, as the SQL form does: no final sigma, no letter that turns into two."""
    return text.lower() if text.isascii() else "".join(letter.lower()[0] for letter in text)


def clean_sql(column: str, *, upper_when: str = "false") -> str:
    """The same as a DuckDB expression over `column`; `upper_when` is a boolean expression."""
    text = column
    for tag, mark in TAGS.items():
        text = f"replace({text}, '{tag}', '{mark}')"
    text = f"trim(regexp_replace({text}, '{SPACE}+', ' ', 'g'), ' ')"
    text = f"regexp_replace({text}, ' +([,.?!])', '\\1', 'g')"
    # RE2 has no look-ahead: two passes meet every second pair of a run such as "a b c d".
    pair = f"([{UNSPACED}]) ([{UNSPACED}])"
    text = f"regexp_replace(regexp_replace({text}, '{pair}', '\\1\\2', 'g'), '{pair}', '\\1\\2', 'g')"
    return f"CASE WHEN {upper_when} THEN lower({text}) ELSE {text} END"


def join_unspaced(text: str) -> str:
    """Remove the spaces between Chinese characters (word segmentation of AISHELL and its kin)."""
    return _BETWEEN_UNSPACED.sub(r"\1", _SPACES.sub(" ", text).strip(" "))
