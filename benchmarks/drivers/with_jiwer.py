"""The word error rate of two files, rows in the same order: Whisper's normalizer for English, then jiwer.

with_jiwer.py GOLD PRED
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import jiwer
from whisper_normalizer.english import EnglishTextNormalizer


def main() -> None:
    gold, pred = sys.argv[1:]
    normalize = EnglishTextNormalizer()
    with Path(gold).open() as right, Path(pred).open() as said:
        pairs = [
            (normalize(json.loads(one)["text"]), normalize(json.loads(other)["prediction"]))
            for one, other in zip(right, said, strict=True)
        ]
    found = jiwer.process_words([one for one, _ in pairs], [other for _, other in pairs])
    print(json.dumps({"wer": found.wer, "substitutions": found.substitutions}))


if __name__ == "__main__":
    main()
