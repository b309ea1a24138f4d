"""What is done to the sound of each row of an export.

A row's factors are drawn from its id and the seed, by hash: they do not depend on the other rows, the machine or the
number of workers, and every row has factors of its own. Each is a whole number of steps within the range, its ends
included.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ....errors import UsageError
from ....shards.media.augment import Recipe

SNR_STEPS, SPEED_STEPS, GAIN_STEPS = 10, 1000, 10
"""Steps of one dB, of one, of one dB."""

LONGEST_S = 30.0
"""Feature extractors cut what is longer: sound whose speed is changed must not pass it."""

Range = tuple[float, float]


@dataclass(frozen=True, slots=True)
class SoundChange:
    """One request.

    Attributes:
        snr, speed, gain: Ranges in dB, in parts of the original speed, and in dB.
        copies: Rows with factors of their own beside each row, which then has none; 0: the row itself has them.
    """

    noise: str | None = None
    snr: Range | None = None
    speed: Range | None = None
    gain: Range | None = None
    sample_rate: int | None = None
    mono: bool = False
    copies: int = 0

    @classmethod
    def of_manifest(cls, recorded: Mapping[str, Any] | None) -> SoundChange | None:
        """The request that a manifest records."""
        if recorded is None:
            return None
        values: dict[str, Any] = {
            key: tuple(value) if isinstance(value, list) else value for key, value in recorded.items()
        }
        return cls(**values)

    @property
    def augments(self) -> bool:
        """Whether rows get factors of their own; else they are only converted."""
        return self.noise is not None or self.speed is not None or self.gain is not None

    def of_row(self, *, is_copy: bool) -> SoundChange | None:
        """What is asked of one row: one that stands beside its copies gets no factors."""
        if is_copy or not self.copies:
            return self
        return SoundChange(sample_rate=self.sample_rate, mono=self.mono) if self.converts else None

    @property
    def converts(self) -> bool:
        """Whether rows whose sound has another form get one of this form."""
        return self.sample_rate is not None or self.mono

    def recipe(self, seed: int, row: str) -> Recipe:
        """The factors of one row."""
        return Recipe(
            1.0 if self.speed is None else _drawn(self.speed, SPEED_STEPS, f"{seed}:{row}:speed"),
            None if self.snr is None else _drawn(self.snr, SNR_STEPS, f"{seed}:{row}:snr"),
            0.0 if self.gain is None else _drawn(self.gain, GAIN_STEPS, f"{seed}:{row}:gain"),
        )


def number_of(text: str) -> int:
    """A number of 64 bits for a text, the same everywhere."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")


def _drawn(within: Range, steps: int, text: str) -> float:
    first, last = (round(each * steps) for each in within)
    return (first + number_of(text) % (last - first + 1)) / steps


def read_range(text: str | None, steps: int, *, option: str, low: float, high: float) -> Range | None:
    """Parse `0.9..1.1`, or one number for a range of one.

    Raises:
        UsageError: It is not a range, or not between `low` and `high`.
    """
    if text is None:
        return None
    first, dots, last = text.partition("..")
    try:
        found = float(first), float(last if dots else first)
    except ValueError:
        found = (math.nan, math.nan)
    if not low <= found[0] <= found[1] <= high:
        raise UsageError(
            f"{option} {text}: expected a range within {low:g}..{high:g}, the smaller number first, such as "
            f"{'0.9..1.1' if steps == SPEED_STEPS else '5..20'}."
        )
    return (round(found[0] * steps) / steps, round(found[1] * steps) / steps)
