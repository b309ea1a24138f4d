"""Which split each group goes to.

Groups with a place keep it (`pin`). The others are tried by hash first: the group's hash, as a number from 0 to 1,
falls into one of the shares. That decides over each group alone, so samples that come later move nobody. It is taken if
every share is reached within `TOLERANCE`, which it is where groups are many and of like size.

Otherwise groups are placed one by one, the largest first, each where most is missing; no split stays empty while there
are groups for it. Where that has placed a group depends on the others: it stays there because a later split of the same
kind pins the groups that an earlier one has placed.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import accumulate

from ...composition.shares import Shares

TOLERANCE = Fraction(2, 100)
"""How far each share may be from what was asked for: two points of a hundred."""

HASH, GREEDY = "hash", "largest_first"


@dataclass(frozen=True, slots=True)
class Group:
    """One group.

    Attributes:
        component: Its name.
        size: What its samples count towards the shares: milliseconds or rows.
        rows: Its number of samples.
        stratum: Within which the shares are reached.
        pin: The split that it must go to.
    """

    component: int
    size: int
    rows: int = 1
    stratum: str | None = None
    pin: str | None = None


@dataclass(frozen=True, slots=True)
class Assignment:
    """The split of each group, and how the groups of each stratum that had no place were placed."""

    splits: dict[int, str]
    methods: dict[str | None, str]


def assign(groups: Sequence[Group], shares: Shares, *, seed: int) -> Assignment:
    """Place the groups; the result depends neither on their order nor on that of the samples."""
    strata: dict[str | None, list[Group]] = defaultdict(list)
    for group in groups:
        strata[group.stratum].append(group)
    found = Assignment({}, {})
    for stratum, inside in sorted(strata.items(), key=lambda item: item[0] or ""):
        sizes = _sizes(inside)
        placed = {group.component: group.pin for group in inside if group.pin is not None}
        free = [group for group in inside if group.pin is None]
        method, own = HASH, placed | by_hash(free, shares, seed)
        if not _is_close(own, sizes, shares):
            method, own = GREEDY, placed | _largest_first(free, placed, sizes, shares, seed)
        found.splits.update(own)
        if free:
            found.methods[stratum] = method
    return found


def _sizes(groups: Sequence[Group]) -> dict[int, int]:
    """The sizes of groups; rows where no group has any size."""
    by_size = any(group.size for group in groups)
    return {group.component: group.size if by_size else group.rows for group in groups}


def position(component: int, seed: int) -> int:
    """The place of a group in the hash order, as 64 bits."""
    return int(hashlib.sha256(f"{seed}:{component:016x}".encode()).hexdigest()[:16], 16)


def by_hash(groups: Iterable[Group], shares: Shares, seed: int) -> dict[int, str]:
    """The split into whose share the hash of each group falls."""
    ends = [end * 2**64 for end in accumulate(shares.weights().values())]
    whole = ends[-1] // 2**64
    names = shares.names
    return {group.component: names[bisect_right(ends, position(group.component, seed) * whole)] for group in groups}


def totals(splits: Mapping[int, str], sizes: Mapping[int, int]) -> Counter[str]:
    """What each split has of the sizes."""
    found: Counter[str] = Counter()
    for component, split in splits.items():
        found[split] += sizes[component]
    return found


def _is_close(splits: Mapping[int, str], sizes: Mapping[int, int], shares: Shares) -> bool:
    """Whether every split has its share, and at least one group."""
    whole, have = sum(sizes.values()), totals(splits, sizes)
    return set(shares) <= set(splits.values()) and all(
        abs(Fraction(have[name], whole) - share) <= TOLERANCE for name, share in shares.of_one().items()
    )


def _largest_first(
    free: Iterable[Group], placed: Mapping[int, str], sizes: Mapping[int, int], shares: Shares, seed: int
) -> dict[int, str]:
    weights = shares.weights()
    scale, whole = sum(weights.values()), sum(sizes.values())
    missing = {name: whole * weight for name, weight in weights.items()}
    for component, split in placed.items():
        if split in missing:
            missing[split] -= scale * sizes[component]
    empty = set(shares) - set(placed.values())
    ordered = sorted(free, key=lambda group: (-sizes[group.component], position(group.component, seed)))
    found: dict[int, str] = {}
    for left, group in zip(range(len(ordered), 0, -1), ordered, strict=True):
        open_splits = [name for name in shares if name in empty] if empty and left <= len(empty) else shares.names
        split = max(open_splits, key=missing.__getitem__)  # of equal ones the first
        found[group.component] = split
        missing[split] -= scale * sizes[group.component]
        empty.discard(split)
    return found
