"""Texts of scripts that are written without spaces, as readers find them: words set apart by spaces.

What a corpus's texts are otherwise cleaned of stands with the views (converters/views/elements/macros.sql).
"""

from __future__ import annotations

import re

# Han, kana, CJK and full-width punctuation: scripts written without spaces.
_UNSPACED = "\u2e80-\u303f\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff00-\uffef"
_BETWEEN_UNSPACED = re.compile(f"([{_UNSPACED}]) (?=[{_UNSPACED}])")
# Unicode white space as the views know it: `\s` has four control characters more.
_SPACES = re.compile("[\t\n\x0b\f\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+")


def join_unspaced(text: str) -> str:
    """Remove the spaces between Chinese characters (word segmentation of AISHELL and its kin)."""
    return _BETWEEN_UNSPACED.sub(r"\1", _SPACES.sub(" ", text).strip(" "))
