"""Bootstrap intervals: how much a score could differ with other rows of the same kind (Efron, 1979).

Rows are drawn with replacement, or whole groups of them (all rows of a speaker: they are no independent draws), and the
score is made again of the sums; the interval is that of the percentiles. For two files of predictions the same rows are
drawn for both (paired bootstrap; Koehn, Statistical significance tests for machine translation evaluation, 2004).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

_DRAWN_AT_ONCE = 200_000
Rate = Callable[[Sequence[float]], float | None]


@dataclass(frozen=True, slots=True)
class Resamples:
    """How resamples are drawn.

    Attributes:
        number: How many; 0 gives no intervals.
        confidence: Percent of the resamples that lie within an interval.
        seed: Equal seeds draw equal rows.
    """

    number: int = 1000
    confidence: float = 95.0
    seed: int = 0

    def sums(self, counts: Any, groups: Sequence[Any] | None = None) -> Any:
        """The summed counts of each resample, a row each; None where there are fewer than two rows or groups to draw.

        Args:
            counts: An array with a row for each row, and a column for each count.
            groups: What each row is drawn with; None where each is drawn alone.
        """
        import numpy as np

        units = counts
        if groups is not None:
            place = {group: number for number, group in enumerate(dict.fromkeys(groups))}
            units = np.zeros((len(place), counts.shape[1]))
            np.add.at(units, [place[group] for group in groups], counts)
        if len(units) < 2 or not self.number:
            return None
        draws = np.random.default_rng(self.seed)
        size, found = len(units), []
        # As many resamples at once as fit in a few megabytes: of few rows all, of many rows one.
        at_once = max(1, _DRAWN_AT_ONCE // size)
        for start in range(0, self.number, at_once):
            count = min(at_once, self.number - start)
            drawn = draws.integers(size, size=(count, size)) + np.arange(count)[:, None] * size
            times = np.bincount(drawn.ravel(), minlength=count * size).reshape(count, size)
            found.append(times @ units)
        return np.concatenate(found)

    def interval(self, values: Sequence[float | None]) -> tuple[float, float] | tuple[None, None]:
        """The interval of the scores of resamples; those without a score have no part in it."""
        import numpy as np

        told = [value for value in values if value is not None]
        if not told:
            return None, None
        tail = (100 - self.confidence) / 2
        low, high = np.percentile(told, (tail, 100 - tail))
        return float(low), float(high)


def rates(sums: Any, rate: Rate) -> list[float | None]:
    """The score of each resample."""
    return [rate(each) for each in sums.tolist()]


def chance(differences: Sequence[float | None], observed: float) -> float | None:
    """The share of resamples whose difference lies as far from their mean as the observed one from 0, two-sided."""
    import numpy as np

    told = np.array([each for each in differences if each is not None])
    if not len(told):
        return None
    far = np.count_nonzero(np.abs(told - told.mean()) >= abs(observed) - 1e-12)
    return float((far + 1) / (len(told) + 1))
