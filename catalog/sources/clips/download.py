"""What was downloaded for a clip, and whether all of it arrived."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ....shards.media.clip import END_SLACK
from .failures import ClipError

_SLACK_S = 2.0
_SLACK_SHARE = 0.02
"""Sites round the lengths they state, and re-encode: a difference below these says nothing."""


@dataclass(frozen=True, slots=True)
class Download:
    """A file, the length that its site states, and the seconds of its shortest stream; None if unknown."""

    path: Path
    stated_s: float | None = None
    arrived_s: float | None = None

    def check_reach(self, start_s: float | None, end_s: float | None) -> None:
        """Raise ClipError (`incomplete`) if the span is in what the site has and not in what arrived."""
        stated, arrived = self.stated_s, self.arrived_s
        if stated is None or arrived is None or arrived >= stated - max(_SLACK_S, _SLACK_SHARE * stated):
            return
        if (start_s or 0.0) >= arrived or end_s is None or end_s > arrived + END_SLACK:
            raise ClipError("incomplete", f"{arrived:.1f} s arrived of a video that lasts {stated:g} s")


def shortest(lengths: Iterable[float | None]) -> float | None:
    """The shortest of the known lengths."""
    return min((length for length in lengths if length is not None), default=None)
