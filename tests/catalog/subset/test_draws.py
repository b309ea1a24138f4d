"""What a draw takes: by hash, by stratum, by speaker, by hours."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.selections import ids
from triptych.catalog.subset.options import Subset
from triptych.catalog.subset.sample import Draw, KeySet, Listing, hash_key
from triptych.errors import UsageError

Row = tuple[str, str | None, str | None]  # id, speaker, language
rows = st.lists(
    st.tuples(ids, st.sampled_from([None, "s1", "s2", "s3", "s4"]), st.sampled_from(["en", "zh", None])),
    max_size=60, unique_by=lambda row: row[0],
)  # fmt: skip
DRAWS: list[dict[str, Any]] = [
    {"by": "hash"},
    {"balance": "speaker"},
    {"balance": "language,speaker"},
    {"speakers": 2},
    {"speakers": 2, "by": "hash"},
    {"speakers": 3, "balance": "language"},
]


def draw_of(rows: Iterable[Row], **options: Any) -> Draw:
    listing = Listing(Subset.of(**options))
    for identity, speaker, language in rows:
        listing.add(identity, {"speaker": speaker, "language": language})
    return listing.draw()


def names(draw: Draw, rows: Iterable[Row], samples: int | None, *, seed: int = 0) -> set[str]:
    wanted = KeySet(draw.wanted(samples))
    return {identity for identity, _, _ in rows if hash_key(seed, identity) in wanted}


def test_a_draw_by_hash_takes_the_smallest_sums_of_seed_and_id() -> None:
    # printf 0:a | sha256sum, and so on: f 49f44721, d 7d98c2ee, a 9df3c5fa, c be086d93, b e02192fd, e e0782eae
    rows: list[Row] = [(name, None, None) for name in "abcdef"]
    draw = draw_of(rows, by="hash")
    assert [names(draw, rows, n) for n in (1, 3, 5)] == [{"f"}, {"f", "d", "a"}, {"f", "d", "a", "c", "b"}]


@pytest.mark.parametrize("options", DRAWS, ids=str)
@given(rows=rows, small=st.integers(0, 30), more=st.integers(0, 30), seed=st.integers(0, 3), shuffle=st.randoms())
def test_a_draw_hangs_on_no_order_and_grows(
    options: dict[str, Any], rows: list[Row], small: int, more: int, seed: int, shuffle: random.Random
) -> None:
    if "speakers" in options and not any(speaker for _, speaker, _ in rows):
        rows = [*rows, ("one more", "s1", None)]
    first = draw_of(rows, seed=seed, **options)
    chosen = names(first, rows, small, seed=seed)
    larger = names(first, rows, small + more, seed=seed)
    assert chosen <= larger
    assert len(chosen) == min(small, len(first))
    shuffled = list(rows)
    shuffle.shuffle(shuffled)
    assert names(draw_of(shuffled, seed=seed, **options), rows, small, seed=seed) == chosen


@given(rows=rows, samples=st.integers(1, 40))
def test_strata_take_turns(rows: list[Row], samples: int) -> None:
    chosen = names(draw_of(rows, balance="language,speaker"), rows, samples)
    there = Counter((speaker, language) for _, speaker, language in rows)
    taken = Counter((speaker, language) for identity, speaker, language in rows if identity in chosen)
    most = max(taken.values(), default=0)
    for stratum, count in there.items():
        assert taken[stratum] >= min(count, most - 1)


@given(rows=rows, samples=st.integers(0, 40), options=st.sampled_from(DRAWS), data=st.data())
def test_bad_candidates_are_replaced_until_the_number_is_reached_in_any_order_of_failing(
    rows: list[Row], samples: int, options: dict[str, Any], data: st.DataObject
) -> None:
    rows = [*rows, ("one more", "s1", None)] if all(identity != "one more" for identity, _, _ in rows) else rows
    bad = {identity for identity, _, _ in rows if data.draw(st.booleans())}
    keys = {hash_key(0, identity): identity for identity, _, _ in rows}
    reference: set[str] | None = None
    for warned in (False, True):
        draw = draw_of(rows, **options)
        if warned:  # all that is bad is known before: the draw must be the same
            for identity in bad:
                draw.failed(hash_key(0, identity))
        while len(untried := draw.untried(samples)):
            for key in map(int, untried):
                (draw.failed if keys[key] in bad else draw.stored)(key)
        found = names(draw, rows, samples)
        good = {keys[key] for key in keys if key in draw} - bad
        assert len(found) == min(samples, len(good)) == draw.held(samples)
        assert found <= good
        reference = found if reference is None else reference
        assert found == reference


@given(rows=rows, hours=st.tuples(st.floats(0, 0.05), st.floats(0, 0.05)), options=st.sampled_from(DRAWS[:3]))
def test_a_draw_of_hours_is_the_shortest_that_is_long_enough_and_grows(
    rows: list[Row], hours: tuple[float, float], options: dict[str, Any]
) -> None:
    lengths = {identity: 1.0 + len(identity.encode()) for identity, _, _ in rows}
    draw = draw_of(rows, **options)
    for identity, seconds in lengths.items():
        draw.measured(hash_key(0, identity), seconds)
    counts = []
    for seconds in sorted(hour * 3600 for hour in hours):
        count = draw.samples_for(seconds)
        total = sum(lengths[name] for name in names(draw, rows, count))
        assert total >= seconds or count == len(rows)
        assert count == 0 or sum(lengths[name] for name in names(draw, rows, count - 1)) < seconds
        counts.append(names(draw, rows, count))
    assert counts[0] <= counts[1]


def test_speakers_are_chosen_whole_and_a_draw_of_them_is_even() -> None:
    rows: list[Row] = [(f"{speaker}-{n}", speaker, "en") for speaker in ("a", "b", "c", "d") for n in range(20)]
    everything = names(draw_of(rows, speakers=2), rows, None)
    speakers = {name[0] for name in everything}
    assert len(speakers) == 2 and len(everything) == 40
    assert speakers < {name[0] for name in names(draw_of(rows, speakers=3), rows, None)}
    assert sorted(Counter(name[0] for name in names(draw_of(rows, speakers=2), rows, 10)).values()) == [5, 5]


def test_speakers_cannot_be_chosen_where_nobody_says_who_speaks() -> None:
    with pytest.raises(UsageError, match="no speaker labels"):
        draw_of([("a", None, "en")], speakers=2)


def test_no_more_are_tried_than_was_allowed_and_the_best_ranks_first() -> None:
    rows: list[Row] = [(str(n), None, None) for n in range(50)]
    draw = draw_of(rows, by="hash")
    assert list(draw.untried(20, tries=5)) == list(draw.wanted(5))
    for key in map(int, draw.untried(20, tries=5)):
        draw.failed(key)
    assert len(draw.untried(20, tries=5)) == 0 and len(draw.untried(20, tries=7)) == 2


def test_ids_that_stand_twice_are_drawn_once() -> None:
    rows: list[Row] = [("a", "s1", None), ("a", "s2", None), ("b", "s2", None)]
    for order in (rows, rows[::-1]):
        draw = draw_of(order, balance="speaker")
        assert len(draw) == 2 and len(draw.wanted(5)) == 2


def test_a_listing_holds_a_million_rows_in_few_bytes() -> None:
    listing = Listing(Subset.of(balance="language,speaker"))
    for n in range(20_000):
        listing.add(f"dataset/train/a-rather-long-identifier-{n:012d}", {"speaker": str(n % 50), "language": "en"})
    held = sum(buffer.itemsize * len(buffer) for buffer in (listing._keys, listing._strata, listing._speakers))
    assert held <= 16 * 20_000
    assert len(listing.draw().wanted(1_000)) == 1_000
