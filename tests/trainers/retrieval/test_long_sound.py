"""Windows of a sound as it is decoded."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from support.imported import noise, sound
from triptych.trainers.retrieval.search.glossary_index import Found
from triptych.trainers.retrieval.search.long_sound import terms_by_window, windows


def spans(samples: int, longest: int) -> list[tuple[int, int]]:
    """Where windows begin and end, known from the length."""
    found, start = [], 0
    while start + longest < samples:
        found.append((start, start + longest))
        start += longest // 2
    return [*found, (max(0, samples - longest), samples)]


@pytest.mark.parametrize("samples", [1, 7, 8, 9, 12, 13, 31, 100])
@pytest.mark.parametrize("block", [1, 3, 50])
def test_windows_overlap_by_half_and_the_last_ends_with_the_sound(samples: int, block: int) -> None:
    sound = np.arange(samples, dtype=np.float32)
    found = list(windows(iter(np.split(sound, range(block, samples, block))), 8))

    assert [(start, start + len(each)) for start, each in found] == spans(samples, 8)
    assert all(each.tolist() == sound[start : start + len(each)].tolist() for start, each in found)


def test_a_term_that_neighbouring_windows_hear_is_one(tmp_path: Path) -> None:
    path = sound(tmp_path / "talk.flac", noise(8, seed=1))
    heard = iter([["oslo"], ["oslo", "paris"], []])
    found = terms_by_window(path, 16_000, 4.0, lambda clip: [Found(term, 0.5) for term in next(heard)])

    assert [(each.term, each.start_s, each.end_s) for each in found] == [("oslo", 0, 6), ("paris", 2, 6)]
