"""The plan of batches: every row once, within the budget, the same for any number of ranks."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from triptych.errors import UsageError
from triptych.trainers.data.batch_plan import TOGETHER, BatchPlan

LENGTHS = st.lists(st.integers(0, 60), min_size=1, max_size=80).filter(any)


def flat(plan: BatchPlan, epoch: int = 0) -> list[list[int]]:
    """The batches of an epoch in the order in which all ranks see them."""
    found = plan.epoch(epoch)
    return [batch for step in range(len(found)) for rank in range(plan.ranks) if (batch := found.batch(step, rank))]


@settings(max_examples=60, deadline=None)
@given(LENGTHS, st.integers(60, 200), st.integers(1, 5), st.integers(0, 3), st.booleans())
def test_every_row_is_in_one_batch_of_an_epoch_and_batches_fit_the_budget(
    lengths: list[int], budget: int, ranks: int, epoch: int, is_mixed: bool
) -> None:
    tokens = np.array(lengths)
    modalities = np.arange(len(tokens)) % 3 if is_mixed else None
    plan = BatchPlan(tokens, batch_tokens=budget, modalities=modalities, seed=7, ranks=ranks)
    batches = flat(plan, epoch)
    assert sorted(row for batch in batches for row in batch) == np.flatnonzero(tokens).tolist()
    assert all(len(batch) * tokens[batch].max() <= budget for batch in batches)
    assert all(len(set(np.arange(len(tokens))[batch] % 3)) == 1 for batch in batches) or not is_mixed
    alone = BatchPlan(tokens, batch_tokens=budget, modalities=modalities, seed=7)
    assert flat(alone, epoch) == batches and plan.batches == len(batches) and plan.rows == int((tokens > 0).sum())
    every = [[*plan.epoch(epoch).of_rank(rank)] for rank in range(ranks)]
    assert {len(each) for each in every} == {plan.steps}
    assert [[*plan.epoch(epoch).of_rank(0, start=1)]] == [every[0][1:]]


@pytest.mark.parametrize("seed", range(3))
def test_an_epoch_of_any_number_of_batches_has_each_of_them_once(seed: int) -> None:
    for batches in range(1, 40):
        lengths = np.random.default_rng([seed, batches]).permutation((100 * 1.1 ** np.arange(batches)).astype(int))
        rows = [row for [row] in flat(BatchPlan(lengths, batch_size=1, seed=seed))]
        assert sorted(rows) == list(range(batches))
        assert lengths[rows[0]] == lengths.max()


@settings(max_examples=20, deadline=None)
@given(LENGTHS, st.integers(1, 9))
def test_batches_of_rows_are_full_but_the_last(lengths: list[int], size: int) -> None:
    batches = flat(BatchPlan(np.array(lengths), batch_size=size))
    counts = sorted(map(len, batches))
    assert counts[1:] == [size] * (len(counts) - 1) and counts[0] == (np.count_nonzero(lengths) % size or size)


def speech(rows: int, *, seed: int = 0) -> np.ndarray:
    """Tokens of utterances whose lengths are spread as those of LibriSpeech: most of 12 to 16 s, a third shorter."""
    random = np.random.default_rng(seed)
    short = random.random(rows) < 0.35
    seconds = np.where(short, random.uniform(2, 12, rows), random.normal(14.5, 1.5, rows).clip(2, 17))
    return (30 + 28.5 * seconds).astype(np.int64)


def written(rows: int, *, seed: int = 1) -> np.ndarray:
    """Tokens of texts: log-normal, from ten to thousands."""
    return np.random.default_rng(seed).lognormal(5.2, 1.0, rows).clip(10, 8192).astype(np.int64)


@pytest.mark.parametrize("budget", [8192, 32768])
def test_padding_is_a_few_percent(budget: int) -> None:
    tokens = np.concatenate([speech(12_000), written(8_000)])
    modalities = np.repeat([1, 0], [12_000, 8_000])
    for ranks in (1, 4):
        plan = BatchPlan(tokens, batch_tokens=budget, modalities=modalities, ranks=ranks)
        assert plan.padding_share < 0.05


def test_epochs_have_other_batches_in_another_order_and_equally_many() -> None:
    plan = BatchPlan(speech(2_000), batch_tokens=8192, seed=1)
    first, second = flat(plan, 0), flat(plan, 1)
    assert len(first) == len(second) == plan.batches and {*map(tuple, first)}.isdisjoint(map(tuple, second))
    assert flat(BatchPlan(speech(2_000), batch_tokens=8192, seed=1), 1) == second
    assert flat(BatchPlan(speech(2_000), batch_tokens=8192, seed=2), 1) != second
    longest = [max(speech(2_000)[batch]) for batch in first]
    assert abs(np.corrcoef(longest, range(len(longest)))[0, 1]) < 0.3


def test_ranks_see_the_same_modalities_and_like_costs_in_a_step() -> None:
    tokens, modalities = np.concatenate([speech(6_000), written(4_000)]), np.repeat([1, 0], [6_000, 4_000])
    for ranks in (2, 4, 8):
        plan = BatchPlan(tokens, batch_tokens=16_384, modalities=modalities, ranks=ranks)
        epoch = plan.epoch(0)
        steps = [[epoch.batch(step, rank) for rank in range(ranks)] for step in range(len(epoch))]
        mixed = [step for step in steps if len({modalities[batch[0]] for batch in step if batch}) > 1]
        assert len(mixed) <= 2 * TOGETHER / ranks and all(all(step) for step in steps[:-1])
        costs = np.array([[len(batch) * tokens[batch].max() for batch in step] for step in steps[:-1]])
        assert (costs.mean(axis=1) / costs.max(axis=1)).mean() > 0.9


def test_the_costliest_batch_is_trained_on_first() -> None:
    for modalities in (None, np.arange(3_000) % 2):
        tokens = speech(3_000)
        batches = flat(BatchPlan(tokens, batch_tokens=8192, modalities=modalities))
        costs = [len(batch) * tokens[batch].max() for batch in batches]
        assert costs[0] >= 0.99 * max(costs)


def test_a_last_step_of_the_optimizer_may_be_of_fewer_batches() -> None:
    plan = BatchPlan(np.full(21, 10), batch_size=1, ranks=2, accumulation=4)
    assert (plan.batches, plan.steps, plan.optimizer_steps) == (21, 11, 3)
    assert [len(plan.epoch(0).batch(10, rank)) for rank in range(2)] == [1, 0]
    with pytest.raises(IndexError):
        plan.epoch(0).batch(11)


def test_a_row_longer_than_the_budget_is_refused_and_nothing_is_nothing() -> None:
    with pytest.raises(
        UsageError, match=r"2 rows are longer than a batch of 100 tokens; the longest has 300"
    ) as caught:
        BatchPlan(np.array([50, 200, 300, 0]), batch_tokens=100)
    assert caught.value.hint is not None and "batch_tokens=300" in caught.value.hint
    with pytest.raises(UsageError, match="no row"):
        BatchPlan(np.array([0, 0]), batch_size=2)
    with pytest.raises(UsageError, match="give one of them"):
        BatchPlan(np.array([1]), batch_size=2, batch_tokens=10)


@pytest.mark.thorough
def test_each_of_a_million_rows_is_planned_once_an_epoch() -> None:
    plan = BatchPlan(speech(1_000_000), batch_tokens=8192, ranks=8)
    for epoch in (0, 1):
        assert (np.sort(plan.epoch(epoch).rows) == np.arange(1_000_000)).all()
    assert plan.padding_share < 0.05
