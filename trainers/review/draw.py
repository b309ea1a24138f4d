"""The random draw of rows, independent of their order; within strata in proportion to their rows.

A larger draw of the same seed contains the smaller one, but for strata. Rows are shown in the order of the draw, so
that the first half of a page is a random draw too.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Mapping

from ...shards.draw import draw_key
from ...shards.text import encodable


def draw(strata: Mapping[str, str], count: int, *, seed: int, stratified: bool) -> list[str]:
    """Draw ids, in the order of their keys.

    Args:
        strata: Id -> its stratum.
    """
    if not stratified:
        return heapq.nsmallest(count, strata, key=lambda identity: _key(seed, identity))
    places = shares(Counter(strata.values()), min(count, len(strata)))
    ordered = sorted(strata, key=lambda identity: _key(seed, identity))
    drawn = []
    for identity in ordered:
        if places[strata[identity]]:
            places[strata[identity]] -= 1
            drawn.append(identity)
    return drawn


def shares(rows: Mapping[str, int], count: int) -> dict[str, int]:
    """Divide a number of rows over strata in proportion to their rows, by the largest remainders.

    A stratum may get none: whoever gives it one shifts the shares of the whole.
    """
    total = sum(rows.values())
    exact = {name: size * count / total for name, size in rows.items()}
    places = {name: int(share) for name, share in exact.items()}
    by_remainder = sorted(rows, key=lambda name: (places[name] - exact[name], name))
    for name in by_remainder[: count - sum(places.values())]:
        places[name] += 1
    return places


def _key(seed: int, identity: str) -> tuple[int, str]:
    return draw_key(seed, encodable(identity)), identity
