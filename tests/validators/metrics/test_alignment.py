"""Which words stand for each other: the alignment has exactly the edits that are counted."""

from __future__ import annotations

import random
from collections import Counter

from triptych.validators.metrics.alignment import align
from triptych.validators.metrics.edits import count_edits


def test_an_alignment_has_the_counted_edits_and_both_texts() -> None:
    draw = random.Random(5)
    for _ in range(400):
        wanted, had = (draw.choices("abcd", k=draw.randrange(9)) for _ in range(2))
        aligned = align(wanted, had) or []
        assert [each[1] for each in aligned if each[0] != "insertion"] == wanted
        assert [each[2] for each in aligned if each[0] != "deletion"] == had
        assert all((one == other) == (operation == "equal") for operation, one, other in aligned)
        counts, edits = Counter(each[0] for each in aligned), count_edits(wanted, had)
        assert (counts["substitution"], counts["deletion"], counts["insertion"]) == (
            edits.substitutions, edits.deletions, edits.insertions,
        )  # fmt: skip


def test_words_are_aligned_in_order_and_texts_that_are_too_long_are_not() -> None:
    assert align(["the", "cat", "sat"], ["a", "cat", "sat", "down"]) == [
        ("substitution", "the", "a"), ("equal", "cat", "cat"), ("equal", "sat", "sat"), ("insertion", "", "down"),
    ]  # fmt: skip
    assert align(["a"] * 2001, ["b"] * 2001) is None
