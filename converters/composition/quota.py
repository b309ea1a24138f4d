"""How much is taken of each part of a composition: a tree of shares, and the whole amount that it divides.

A level of the tree divides its node's amount by largest remainder: into the shares that were asked for, or equally. If
no amount is asked for, it is the largest of which every part can give its share: with exact shares p, a node can give
n if n * p is at most what each of its parts can give, because rounding never goes beyond the next whole number.

A part that has less than its share gives all that it has; what is missing is told, and never made up by another part.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from .shares import Shares, largest_remainder

Values = tuple[str, ...]
"""The values of a part, one for each level."""


@dataclass(frozen=True, slots=True)
class Level:
    """One level of the tree: a field and its shares; equal ones for all of its values if there are none."""

    field: str
    shares: Shares | None = None


@dataclass(slots=True)
class Node:
    """One part: its own share, what it has, and the parts within it."""

    value: str
    share: Fraction
    has: int = 0
    parts: list[Node] = field(default_factory=list)
    is_equal: bool = False
    may_repeat: bool = False
    asked: int = 0

    @property
    def capacity(self) -> int:
        """The largest amount of which each part within has its share."""
        if not self.parts:
            return self.has
        if self.is_equal:
            return len(self.parts) * min(part.capacity for part in self.parts)
        able = [math.floor(part.capacity / part.share) for part in self.parts]
        return max(able) if self.may_repeat else min(able)

    def divide(self, amount: int) -> None:
        """Ask this part for an amount, and the parts within for their shares of it."""
        self.asked = amount
        if self.parts:
            for part, count in zip(
                self.parts, largest_remainder(amount, [part.share for part in self.parts]), strict=True
            ):
                part.divide(count)


def tree(levels: Sequence[Level], has: Mapping[Values, int], *, may_repeat: bool = False) -> Node:
    """The tree of a composition.

    Args:
        levels: From the top down.
        has: What each part has, by its values; the values of a level with shares are among them.
        may_repeat: Whether the parts of the first level can give more than they have.
    """
    root = Node("", Fraction(1))
    _grow(root, levels, has)
    root.may_repeat = may_repeat and bool(root.parts)
    return root


def _grow(node: Node, levels: Sequence[Level], has: Mapping[Values, int]) -> None:
    if not levels:
        node.has = sum(has.values())
        return
    inside: dict[str, dict[Values, int]] = {}
    for values, amount in has.items():
        inside.setdefault(values[0], {})[values[1:]] = amount
    shares = levels[0].shares
    if shares is None:
        names = sorted(inside)
        parts = [(name, Fraction(1, len(names))) for name in names]
    else:
        parts = list(shares.of_one().items())
    node.is_equal = shares is None
    for name, share in parts:
        part = Node(name, share)
        _grow(part, levels[1:], inside.get(name, {}))
        node.parts.append(part)
    node.has = sum(part.has for part in node.parts)


def leaves(node: Node, above: Values = ()) -> list[tuple[Values, Node]]:
    """The parts that are not divided further, by their values."""
    if not node.parts:
        return [(above, node)]
    return [leaf for part in node.parts for leaf in leaves(part, (*above, part.value))]
