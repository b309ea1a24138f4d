"""What an export says of its pairs: how many of each dimension, which are short, and whether the longer answer wins."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from .quota import SHARES, asked

if TYPE_CHECKING:
    import duckdb

BIASED = 0.7
"""From this share of pairs on whose chosen side is the longer one, or the shorter one, an export warns."""


def read_pairs(connection: duckdb.DuckDBPyConnection) -> dict[str, Any]:
    """The pairs of the rows that are written: their number by dimension, and by which side is longer."""
    found = connection.execute("""
        SELECT dimension, count(*), count(*) FILTER (length(chosen[1].content) > length(rejected[1].content)),
               count(*) FILTER (length(chosen[1].content) < length(rejected[1].content))
        FROM rows WHERE _outcome IS NULL GROUP BY ALL""").fetchall()
    by_name = {name: count for name, count, _, _ in found}
    return {
        "dimensions": {name: by_name[name] for name in SHARES if name in by_name},
        "chosen_longer": sum(longer for _, _, longer, _ in found),
        "chosen_shorter": sum(shorter for _, _, _, shorter in found),
    }


def told(manifest: Mapping[str, Any], own: Mapping[str, Any]) -> Iterator[str]:
    """Lines for a person about the pairs of a version, as the request asked for them."""
    if (pairs := manifest.get("pairs")) is None:  # one that an older version of the package wrote
        return
    held: Mapping[str, int] = pairs["dimensions"]
    total = sum(held.values())
    wanted = asked(own)
    for name, count in (wanted or {}).items():
        if (has := held.get(name, 0)) < count:
            yield f"{has:,} pairs for {name}, {count:,} were asked for: the others do not fill its place"
    if wanted is None:
        shares = ", ".join(f"{name} {_percent(count, total)}" for name, count in held.items())
        usual = ", ".join(f"{name} {share} %" for name, share in SHARES.items())
        yield f"all {total:,} pairs: {shares}; --pairs N takes {usual}"
    for side in ("longer", "shorter"):
        if (count := pairs[f"chosen_{side}"]) >= BIASED * total:
            yield f"the chosen answer is the {side} one in {_percent(count, total)} of pairs: a model learns the length"


def _percent(count: int, total: int) -> str:
    return f"{100 * count / total:.0f} %" if total else "0 %"
