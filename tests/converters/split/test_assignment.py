"""Where groups go: shares, hash order, places that are kept, and that later samples move nobody."""

from __future__ import annotations

import random
from collections import Counter
from fractions import Fraction

import pytest
from triptych.converters.annotations.split.assignment import GREEDY, HASH, TOLERANCE, Group, assign
from triptych.converters.annotations.split.group import components
from triptych.converters.composition.shares import largest_remainder, shares_reader
from triptych.errors import UsageError

read = shares_reader("--shares", "a=1,b=2")
SHARES = read("train=80,validation=10,test=10")


def groups(count: int, *, start: int = 0, size: int = 10) -> list[Group]:
    return [Group(int.from_bytes(random.Random(n).randbytes(8)), size) for n in range(start, start + count)]


def part_of(found: dict[int, str], split: str) -> Fraction:
    return Fraction(Counter(found.values())[split], len(found))


def test_many_groups_go_by_their_hash_alone_so_that_more_of_them_move_nobody() -> None:
    few, more = assign(groups(5_000), SHARES, seed=1), assign(groups(9_000), SHARES, seed=1)
    assert few.methods == more.methods == {None: HASH}
    assert few.splits.items() <= more.splits.items()
    assert all(abs(part_of(few.splits, name) - share) <= TOLERANCE for name, share in SHARES.of_one().items())
    assert assign(groups(5_000), SHARES, seed=2).splits != few.splits


def test_the_order_of_groups_does_not_matter() -> None:
    for count in (7, 3_000):
        given = groups(count)
        assert assign(given[::-1], SHARES, seed=0) == assign(given, SHARES, seed=0)


def test_few_groups_fill_what_is_missing_and_leave_no_split_empty() -> None:
    for count in (3, 4, 10, 30):
        found = assign(groups(count), SHARES, seed=0)
        assert found.methods == {None: GREEDY} and set(found.splits.values()) == set(SHARES)
    sizes = [100, 90, *[1] * 20]
    uneven = [Group(n, size) for n, size in enumerate(sizes)]
    found = assign(uneven, SHARES, seed=0).splits
    assert found[0] == found[1] == "train"
    assert Counter(found.values()) == {"train": 2, "validation": 10, "test": 10}


def test_a_group_keeps_its_place_and_counts_towards_its_share() -> None:
    given = [Group(1, 30, pin="test"), *groups(70, size=1)]
    found = assign(given, SHARES, seed=0).splits
    assert found[1] == "test" and Counter(found.values())["test"] == 1
    assert Counter(found.values())["train"] >= 60


def test_shares_are_reached_within_each_stratum() -> None:
    given = [Group(n, 10, stratum=("de", "en")[n % 10 == 0]) for n in range(100)]
    found = assign(given, SHARES, seed=0).splits
    english = {n: split for n, split in found.items() if n % 10 == 0}
    assert Counter(english.values()) == {"train": 8, "validation": 1, "test": 1}


def test_groups_without_any_length_are_counted() -> None:
    assert Counter(assign([Group(n, 0) for n in range(10)], SHARES, seed=0).splits.values())["train"] == 8


def test_components_have_the_smallest_of_their_nodes_as_their_name() -> None:
    assert components([(5, 4), (4, 3), (9, 8), (3, 2)]) == {5: 2, 4: 2, 3: 2, 2: 2, 9: 8, 8: 8}
    chain = [(n, n + 1) for n in range(20_000)]
    assert set(components(chain).values()) == {0}


@pytest.mark.parametrize(
    ("total", "parts", "expected"),
    [(25, (3, 7), [8, 17]), (10, (4, 3, 2, 1), [4, 3, 2, 1]), (7, (4, 3, 2, 1), [3, 2, 1, 1]),
     (1, (4, 3, 2, 1), [1, 0, 0, 0]), (0, (1, 1), [0, 0])],
)  # fmt: skip
def test_whole_numbers_by_largest_remainder_with_ties_to_the_earlier(
    total: int, parts: tuple[int, ...], expected: list[int]
) -> None:
    assert largest_remainder(total, [Fraction(part) for part in parts]) == expected


def test_decimal_shares_are_exact() -> None:
    assert read("a=0.1,b=0.2").of_one() == {"a": Fraction(1, 3), "b": Fraction(2, 3)}
    assert str(read(" a = 0.5 , b=1 ")) == "a=0.5,b=1"


@pytest.mark.parametrize("text", ["", "a", "a=", "=1", "a=1,a=2", "a=0,b=1", "a=-1", "a=nan", "a=inf", "a=1/0", "a=x"])
def test_a_share_is_a_name_and_a_number_above_zero(text: str) -> None:
    with pytest.raises(UsageError, match="--shares"):
        read(text)
