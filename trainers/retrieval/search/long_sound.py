"""The terms of a recording, window by window as it is decoded: its length costs time, and no memory.

Windows overlap by half; a term that neighbouring windows hear is one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ...data.sound import sound_blocks

if TYPE_CHECKING:
    from ...data.sound import Samples
    from .glossary_index import Found


@dataclass(frozen=True, slots=True)
class HeardTerm:
    """A term that was heard in a clip, with the seconds of the windows that it was heard in."""

    term: str
    cosine: float
    start_s: float
    end_s: float


def terms_by_window(
    path: Path, rate: int, window_s: float, search: Callable[[Samples], Sequence[Found]]
) -> list[HeardTerm]:  # fmt: skip
    """The terms that a recording names, by the time at which they are heard and then nearest first.

    Args:
        search: Returns the terms of one window.

    Raises:
        MediaError: It cannot be heard.
    """
    spoken: list[HeardTerm] = []
    open_until: dict[str, int] = {}
    for start, window in windows(sound_blocks(path, rate), round(window_s * rate)):
        end = start + len(window)
        for each in search(window):
            place = open_until.get(each.term)
            if place is not None and spoken[place].end_s * rate > start - 1:
                before = spoken[place]
                cosine = max(before.cosine, each.cosine)
                spoken[place] = HeardTerm(each.term, cosine, before.start_s, round(end / rate, 3))
            else:
                open_until[each.term] = len(spoken)
                spoken.append(HeardTerm(each.term, each.cosine, round(start / rate, 3), round(end / rate, 3)))
    return sorted(spoken, key=lambda each: (each.start_s, -each.cosine))


def windows(blocks: Iterator[Samples], longest: int) -> Iterator[tuple[int, Samples]]:
    """Windows of a sound, each with its first sample: one of a short clip; else each begins in the middle of the one
    before, and the last ends with the sound."""
    import numpy as np

    hop = max(1, longest // 2)
    held, first, start = np.zeros(0, np.float32), 0, 0
    for block in blocks:
        held = np.concatenate([held, block])
        while start + longest < first + len(held):
            yield start, held[start - first : start - first + longest]
            start += hop
            if (drop := start - hop - first) > 0:  # the last window may begin before the place of the next
                held, first = held[drop:], first + drop
    last = max(0, first + len(held) - longest)
    yield last, held[last - first :]
