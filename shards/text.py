"""Text that a table can store, and text in scripts that are written without spaces.

All other text cleaning is in the views (converters/views/elements/macros.sql).
"""

from __future__ import annotations

import re

# Han, kana, CJK and full-width punctuation: scripts written without spaces.
_UNSPACED = "\u2e80-\u303f\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff00-\uffef"
_BETWEEN_UNSPACED = re.compile(f"([{_UNSPACED}]) (?=[{_UNSPACED}])")
_IS_UNSPACED = re.compile(f"[{_UNSPACED}]")
_SURROGATE = re.compile("[\ud800-\udfff]")
# Unicode white space as the views define it; `\s` also matches four control characters.
_SPACES = re.compile("[\t\n\x0b\f\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+")


_BLANKS = " \t\n\r\x0b\x0c"
"""What separates fields in the files of Kaldi and its like; Unicode has more, which are part of words and ids."""
_BLANK = re.compile(f"[{_BLANKS}]+")


def split_blanks(text: str) -> list[str]:
    """The fields of a line, separated by ASCII blanks only."""
    return _BLANK.split(stripped) if (stripped := strip_blanks(text)) else []


def strip_blanks(text: str) -> str:
    """Remove the ASCII blanks at both ends."""
    return text.strip(_BLANKS)


def join_unspaced(text: str) -> str:
    """Remove the spaces between CJK characters (word segmentation, as in AISHELL)."""
    return _BETWEEN_UNSPACED.sub(r"\1", _SPACES.sub(" ", text).strip(" "))


def is_unspaced(text: str) -> bool:
    """Whether a text has characters of a script that is written without spaces."""
    return _IS_UNSPACED.search(text) is not None


def encodable(text: str) -> str:
    """Write unpaired surrogates as `\\ud800`; they have no UTF-8 encoding, so no table can store them."""
    return text if text.isascii() else text.encode("utf-8", errors="backslashreplace").decode()


def has_surrogate(text: str) -> bool:
    """Whether a text contains an unpaired surrogate."""
    return not text.isascii() and _SURROGATE.search(text) is not None
