"""Shares such as `train=80,validation=10,test=10`, and whole numbers in their proportion.

Only the proportions count: `7` and `3` are the same shares as `0.7` and `0.3`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

from ...errors import UsageError


@dataclass(frozen=True, slots=True)
class Shares:
    """Names with their shares, in the order in which they were given; each share is above 0."""

    parts: tuple[tuple[str, Fraction], ...]

    def __str__(self) -> str:
        return ",".join(f"{name}={_number(part)}" for name, part in self.parts)

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(name for name, _ in self.parts)

    def of_one(self) -> dict[str, Fraction]:
        """Each name's part of the whole; together they are 1."""
        total = sum((part for _, part in self.parts), Fraction())
        return {name: part / total for name, part in self.parts}

    def weights(self) -> dict[str, int]:
        """The shares as whole numbers in the same proportion."""
        scale = math.lcm(*(part.denominator for _, part in self.parts))
        return {name: int(part * scale) for name, part in self.parts}


def _number(part: Fraction) -> str:
    return str(part.numerator) if part.denominator == 1 else str(float(part))


def shares_reader(flag: str, example: str) -> Callable[[str], Shares]:
    """A function that reads the value of an option; `example` is named in its errors."""

    def read(text: str) -> Shares:
        parts: dict[str, Fraction] = {}
        for item in text.split(","):
            name, equals, number = (word.strip() for word in item.rpartition("="))
            if not equals or not name:
                raise UsageError(f"{flag} {text!r}: {item.strip()!r} is not NAME=SHARE.", hint=f"{flag} {example}")
            if name in parts:
                raise UsageError(f"{flag} {text!r}: {name!r} is there twice.", hint=f"{flag} {example}")
            parts[name] = _share(flag, text, number)
        return Shares(tuple(parts.items()))

    return read


def _share(flag: str, text: str, number: str) -> Fraction:
    """The decimal number as it is written: 0.1 is a tenth, so that equal shares stay equal."""
    try:
        share = Fraction(number) if math.isfinite(float(number)) else Fraction()
    except (ValueError, ZeroDivisionError):
        share = Fraction()
    if share <= 0:
        raise UsageError(f"{flag} {text!r}: a share is a number above 0, not {number!r}.")
    return share


def largest_remainder(total: int, parts: Sequence[Fraction]) -> list[int]:
    """Whole numbers in the proportion of `parts` whose sum is `total`; of equal remainders the earlier part gets more.

    Hamilton's method: every part gets the whole number below its share, and what is left goes to the largest
    remainders.
    """
    whole = sum(parts, Fraction())
    exact = [total * part / whole for part in parts]
    counts = [math.floor(each) for each in exact]
    by_remainder = sorted(range(len(parts)), key=lambda index: (counts[index] - exact[index], index))
    for index in by_remainder[: total - sum(counts)]:
        counts[index] += 1
    return counts
