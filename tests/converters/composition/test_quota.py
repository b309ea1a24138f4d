"""How an amount is divided over a tree of shares."""

from __future__ import annotations

import pytest
from triptych.converters.composition.quota import Level, Values, leaves, tree
from triptych.converters.composition.shares import Shares, shares_reader

read = shares_reader("--mix", "a=1")


def divided(
    levels: list[Level], has: dict[Values, int], amount: int | None = None, **options: bool
) -> dict[Values, int]:
    root = tree(levels, has, **options)
    root.divide(root.capacity if amount is None else amount)
    return {values: node.asked for values, node in leaves(root)}


def mix(text: str) -> Level:
    return Level("dataset", read(text))


def test_a_total_is_divided_by_largest_remainder_with_ties_to_the_earlier() -> None:
    shares: Shares = read("simple=3,complex=7")
    has: dict[Values, int] = {("simple",): 100, ("complex",): 100}
    assert divided([Level("complexity", shares)], has, 25) == {("simple",): 8, ("complex",): 17}


@pytest.mark.parametrize(
    ("text", "has", "expected"),
    [
        ("a=0.7,b=0.3", {("a",): 100, ("b",): 1_000}, {("a",): 99, ("b",): 43}),
        ("a=0.7,b=0.3", {("a",): 1_000, ("b",): 30}, {("a",): 70, ("b",): 30}),
        ("a=1,b=1,c=1", {("a",): 7, ("b",): 5, ("c",): 9}, {("a",): 5, ("b",): 5, ("c",): 5}),
    ],
)
def test_without_a_total_the_scarcest_part_gives_all(
    text: str, has: dict[Values, int], expected: dict[Values, int]
) -> None:
    found = divided([mix(text)], has)
    assert found == expected and all(found[part] <= has[part] for part in has)


def test_without_a_total_no_part_is_asked_for_more_than_it_has() -> None:
    """Whatever the shares: rounding never goes beyond what a part can give."""
    for first in range(1, 40):
        for second in range(1, 40, 3):
            has: dict[Values, int] = {("a",): first, ("b",): second, ("c",): 17}
            found = divided([mix("a=0.37,b=0.41,c=0.22")], has)
            assert all(found[part] <= has[part] for part in has), has


def test_parts_that_may_repeat_use_up_the_most_abundant() -> None:
    assert divided([mix("a=0.5,b=0.5")], {("a",): 10, ("b",): 1_000}, may_repeat=True) == {("a",): 1_000, ("b",): 1_000}


def test_levels_divide_what_the_level_above_gives() -> None:
    levels = [mix("a=0.7,b=0.3"), Level("language")]
    has: dict[Values, int] = {("a", "en"): 100, ("a", "de"): 40, ("b", "en"): 1_000}
    assert divided(levels, has) == {("a", "de"): 40, ("a", "en"): 40, ("b", "en"): 34}
    assert divided(levels, has, 25) == {("a", "de"): 9, ("a", "en"): 9, ("b", "en"): 7}


def test_equal_parts_are_equal() -> None:
    has: dict[Values, int] = {(str(n),): 5 + n for n in range(1_000)}
    assert set(divided([Level("speaker")], has).values()) == {5}
