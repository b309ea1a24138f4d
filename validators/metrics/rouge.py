"""ROUGE-L: how much of a text another has in the same order (Lin, ROUGE, 2004), as F1, mean over the rows.

Tokens are `\\w+` in lower case; in scripts without spaces each character is one. With the longest common subsequence L,
P = L / tokens of the hypothesis, R = L / tokens of the reference, F1 = 2 P R / (P + R); 0 if nothing is common.
"""

from __future__ import annotations

import re

from ...shards.text import is_unspaced
from .metric import Counted, Metric, Pair

_WORD = re.compile(r"\w+")
FIELDS = ("f1", "rows", "precision", "recall", "common", "reference_tokens", "hypothesis_tokens")


def rouge_l() -> Metric:
    """ROUGE-L as F1."""

    def count(pair: Pair) -> Counted:
        by_characters = is_unspaced(pair.reference)
        wanted, had = _tokens(pair.reference, by_characters), _tokens(pair.hypothesis or "", by_characters)
        common = _common(wanted, had)
        precision, recall = (common / len(had) if common else 0.0), (common / len(wanted) if common else 0.0)
        f1 = 2 * common / (len(wanted) + len(had)) if common else 0.0
        space = "" if by_characters else " "
        return Counted((f1, 1, precision, recall, common, len(wanted), len(had)),
                       "characters" if by_characters else "words", space.join(wanted), space.join(had))  # fmt: skip

    return Metric(name="rouge", about="ROUGE-L, F1", fields=FIELDS, count=count, of="chain",
                  rate=lambda counts: counts[0] / counts[1] if counts[1] else None)  # fmt: skip


def _tokens(text: str, by_characters: bool) -> list[str]:
    found = _WORD.findall(text.lower())
    return [*"".join(found)] if by_characters else found


def _common(wanted: list[str], had: list[str]) -> int:
    from rapidfuzz.distance import LCSseq

    return int(LCSseq.similarity(wanted, had))
