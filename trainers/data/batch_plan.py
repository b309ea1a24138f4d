"""Which rows are trained on together, and when: a pure function of their lengths, a seed and an epoch.

    rows of one modality set, from long to short, in buckets of like length   -> shuffled within each bucket
    the next rows that fit the budget together                                -> a batch
    batches, shuffled                                                         -> steps: one batch for each rank

* Every row is in one batch of an epoch. Nothing is dropped at its end: there the ranks that have no batch left get an
  empty one, and the last accumulated step is of fewer batches than the others.
* A batch of n rows, the longest of L tokens, takes n x L tokens of the budget `batch_tokens`. A row that is longer than
  the budget is refused: alone in a batch it would take more memory than was allowed for.
* How many rows each batch has depends on the lengths alone, so all epochs have equally many batches, of other rows.
* Batches and their order do not depend on the number of ranks or workers: of R ranks, rank r gets the batches r, r + R,
  r + 2R ... Of several modality sets, `TOGETHER` batches of one set follow each other, so that ranks whose number
  divides it see the same set in a step; only what is left over at the end of an epoch is mixed.
* The first batch of the first epoch is one of the costliest: memory runs out at once or not at all.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any

from ...errors import UsageError

if TYPE_CHECKING:
    import numpy as np

    Integers = np.ndarray[Any, np.dtype[np.int64]]

TOGETHER = 8
_BUCKET = 1.06
"""Lengths of one bucket differ by less than this factor."""

_SHORTEST = 0.85
"""In a batch by tokens, the shortest row has about this share of the longest, or more: the rest is padding."""


@dataclass(frozen=True, slots=True, eq=False)
class EpochBatches:
    """The batches of one epoch, in order.

    Attributes:
        rows: Row numbers, batch by batch.
        bounds: Where each batch begins in `rows`, and where the last one ends.
        order: The batches as they are trained on.
        ranks: How many train at once.
    """

    rows: Integers
    bounds: Integers
    order: Integers
    ranks: int

    def __len__(self) -> int:
        """The steps of each rank."""
        return -(-len(self.order) // self.ranks)

    def batch(self, step: int, rank: int = 0) -> list[int]:
        """The row numbers of a rank in a step; none where there is no batch left for it."""
        place = step * self.ranks + rank
        if not 0 <= rank < self.ranks or not 0 <= step < len(self):
            raise IndexError(f"{len(self)} steps of {self.ranks} ranks; there is no step {step} of rank {rank}")
        if place >= len(self.order):
            return []
        batch = int(self.order[place])
        found: list[int] = self.rows[int(self.bounds[batch]) : int(self.bounds[batch + 1])].tolist()
        return found

    def of_rank(self, rank: int, *, start: int = 0) -> Iterator[list[int]]:
        """The batches of a rank, from a step on."""
        return (self.batch(step, rank) for step in range(start, len(self)))


class BatchPlan:
    """The batches of all epochs.

    Attributes:
        ranks, accumulation: How many train at once; how many steps of each make one step of the optimizer.
    """

    def __init__(
        self,
        tokens: Integers,
        *,
        batch_tokens: int | None = None,
        batch_size: int | None = None,
        modalities: np.ndarray[Any, Any] | None = None,
        seed: int = 0,
        ranks: int = 1,
        accumulation: int = 1,
        together: int = TOGETHER,
    ) -> None:
        """Plan batches.

        Args:
            tokens: The length of each row; 0: it is left out.
            batch_tokens: Tokens of a batch, padding included.
            batch_size: Rows of a batch, instead.
            modalities: A number for the set of modalities of each row; default: all are alike.
            together: Batches of one set that follow each other.

        Raises:
            UsageError: A row is longer than `batch_tokens`; there are no rows.
        """
        import numpy as np

        if (batch_tokens is None) == (batch_size is None):
            raise UsageError(
                "a batch has so many tokens (batch_tokens) or so many rows (batch_size): give one of them."
            )
        for name, value in (("batch_tokens", batch_tokens), ("batch_size", batch_size), ("ranks", ranks),
                            ("accumulation", accumulation), ("together", together)):  # fmt: skip
            if value is not None and value < 1:
                raise UsageError(f"{name}: expected 1 or more, got {value}.")
        self.ranks, self.accumulation = ranks, accumulation
        self._seed, self._together, self._budget, self._size = seed, together, batch_tokens, batch_size
        self._tokens = np.asarray(tokens, np.int64)
        kept = np.flatnonzero(self._tokens > 0)
        if not len(kept):
            raise UsageError("there is no row to train on.", hint="see rows_left_out.jsonl: every row was left out")
        lengths = self._tokens[kept]
        if batch_tokens is not None:
            _check_longest(lengths, batch_tokens)
        classes = np.zeros(len(kept), np.int64) if modalities is None else np.asarray(modalities, np.int64)[kept]
        # 1e-9: the logarithm of a border must not fall below it on one machine and above it on another.
        heights = np.floor(np.log(lengths) / np.log(_BUCKET) + 1e-9).astype(np.int64)
        order = np.lexsort((kept, -heights, classes))
        self._rows, lengths, classes, heights = kept[order], lengths[order], classes[order], heights[order]
        is_new = np.ones(len(kept), bool)
        is_new[1:] = (np.diff(classes) != 0) | (np.diff(heights) != 0)
        self._buckets = np.cumsum(is_new) - 1
        starts = np.flatnonzero(is_new)
        longest = np.maximum.reduceat(lengths, starts)
        self._bounds = self._cut(starts, longest, classes[starts], len(kept))
        first = self._bounds[:-1]
        self._classes = classes[first]
        self._costs = np.diff(self._bounds) * longest[self._buckets[first]]
        self.epoch = lru_cache(maxsize=2)(self._epoch)

    def _cut(self, starts: Integers, longest: Integers, classes: Integers, rows: int) -> Integers:
        """Where batches begin: at each place as many rows as fit, of those that are in reach of it."""
        import numpy as np

        ends = [*starts[1:].tolist(), rows]
        reach = ends[:]
        for bucket in range(len(ends) - 2, -1, -1):
            after = bucket + 1
            # A later bucket of the same set is shorter: in reach where it is not much shorter.
            while after < len(ends) and classes[after] == classes[bucket] and (
                self._budget is None or longest[after] >= _SHORTEST * longest[bucket]
            ):  # fmt: skip
                reach[bucket] = ends[after]
                after += 1
        room = [self._size or int(self._budget or 0) // int(length) for length in longest]
        bounds, place, buckets = [0], 0, self._buckets.tolist()
        while place < rows:
            bucket = buckets[place]
            place = min(place + room[bucket], reach[bucket])
            bounds.append(place)
        return np.array(bounds, np.int64)

    @property
    def batches(self) -> int:
        """Batches of an epoch."""
        return len(self._bounds) - 1

    @property
    def steps(self) -> int:
        """Steps of an epoch on each rank."""
        return -(-self.batches // self.ranks)

    @property
    def optimizer_steps(self) -> int:
        """Steps of the optimizer in an epoch; the last may be of fewer batches."""
        return -(-self.steps // self.accumulation)

    @property
    def rows(self) -> int:
        """Rows of an epoch."""
        return len(self._rows)

    @cached_property
    def padding_share(self) -> float:
        """The share of the tokens of the first epoch's batches that is padding."""
        import numpy as np

        epoch = self.epoch(0)
        lengths = self._tokens[epoch.rows]
        padded = int((np.maximum.reduceat(lengths, epoch.bounds[:-1]) * np.diff(epoch.bounds)).sum())
        return 1 - int(lengths.sum()) / padded

    def _epoch(self, number: int) -> EpochBatches:
        """The batches of an epoch, counted from 0."""
        import numpy as np

        random = np.random.default_rng([self._seed, number])
        shuffled = self._rows[np.argsort(self._buckets + random.random(len(self._rows)), kind="stable")]
        order = self._order(random)
        if number == 0:
            self._put_costliest_first(order)
        return EpochBatches(shuffled, self._bounds, order, self.ranks)

    def _order(self, random: Any) -> Integers:
        import numpy as np

        sets = [random.permutation(np.flatnonzero(self._classes == each)) for each in np.unique(self._classes)]
        if len(sets) == 1:
            return np.asarray(sets[0], np.int64)
        blocks, rests = [], []
        for batches in sets:
            whole = len(batches) // self._together * self._together
            blocks += np.split(batches[:whole], whole // self._together) if whole else []
            rests += [batches[whole:]]
        parts = [blocks[place] for place in random.permutation(len(blocks))]
        parts += [rests[place] for place in random.permutation(len(rests))]
        return np.concatenate(parts).astype(np.int64)

    def _put_costliest_first(self, order: Integers) -> None:
        import numpy as np

        place = int(self._costs[order].argmax())
        if len(order) > self._together:
            block = min(place // self._together * self._together, len(order) - self._together)
            if self._classes[order[block]] == self._classes[order[block + self._together - 1]]:
                # Those before it move back: the two may overlap, so that they cannot change places.
                order[: block + self._together] = np.roll(order[: block + self._together], self._together)
                place -= block
        order[0], order[place] = order[place], order[0]


def _check_longest(lengths: Integers, batch_tokens: int) -> None:
    longer = int((lengths > batch_tokens).sum())
    if longer:
        raise UsageError(
            f"{longer:,} rows are longer than a batch of {batch_tokens:,} tokens; the longest has {lengths.max():,}.",
            hint=f"--set data.batch_tokens={lengths.max()}, or export with --max-tokens {batch_tokens}",
        )
