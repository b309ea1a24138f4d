"""How many pairs of each dimension an export has, and which.

A total is divided by largest remainder: each dimension gets the whole part of its share, and what is left goes to those
with the largest fractions, of equal ones to the earlier dimension. A dimension with too few pairs stays short: pairs of
another one would train something else.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from ...errors import UsageError, did_you_mean
from ...shards.store.sql import quote

if TYPE_CHECKING:
    import duckdb

SHARES: Mapping[str, int] = {"factuality": 40, "instruction": 30, "safety": 20, "helpfulness": 10}
"""The dimensions in their order, and the share of each unless a request says otherwise."""

OVER_QUOTA = "over_quota"


def read_quota(text: str) -> dict[str, Fraction]:
    """The shares in `factuality=40,safety=60`; a dimension that is not named has none.

    Raises:
        UsageError: A name is no dimension or stands twice, a share is no number from 0, or all are 0.
    """
    found: dict[str, Fraction] = {}
    for part in text.split(","):
        name, _, share = (word.strip() for word in part.partition("="))
        if name not in SHARES:
            raise UsageError(
                f"--quota: {name!r} is no dimension: {', '.join(SHARES)}.",
                hint=did_you_mean(name, SHARES) or "--quota factuality=40,instruction=30,safety=20,helpfulness=10",
            )
        if name in found:
            raise UsageError(f"--quota names {name} twice.")
        found[name] = _share(name, share)
    if not any(found.values()):
        raise UsageError("--quota: every share is 0.")
    return {name: found.get(name, Fraction(0)) for name in SHARES}


def _share(name: str, text: str) -> Fraction:
    if not text.replace(".", "", 1).isdecimal() or not text.isascii():
        raise UsageError(f"--quota: the share of {name} must be a number from 0, not {text!r}.")
    return Fraction(text)


def divide(total: int, shares: Mapping[str, Fraction | int]) -> dict[str, int]:
    """The total, divided among the dimensions by largest remainder."""
    whole = sum(shares.values())
    exact = {name: Fraction(total) * share / whole for name, share in shares.items()}
    parts = {name: int(value) for name, value in exact.items()}
    left = total - sum(parts.values())
    for name in sorted(exact, key=lambda name: parts[name] - exact[name])[:left]:  # sorted keeps the order of ties
        parts[name] += 1
    return parts


def asked(own: Mapping[str, Any]) -> dict[str, int] | None:
    """How many pairs of each dimension a request asks for; None for all that there are."""
    if own.get("pairs") is None:
        return None
    return divide(own["pairs"], read_quota(own["quota"]) if own.get("quota") else SHARES)


def choose_pairs(connection: duckdb.DuckDBPyConnection, own: Mapping[str, Any], order: str) -> str | None:
    """A SELECT of the rows that are too many, as `id` and `reason`; None if all are taken.

    Args:
        own: The options of the view.
        order: SQL for the order of rows: the first of a dimension are taken, so that a larger total adds rows.
    """
    wanted = asked(own)
    if wanted is None:
        return None
    limits = " ".join(f"WHEN {quote(name)} THEN {count}" for name, count in wanted.items())
    return f"""
        SELECT id, {quote(OVER_QUOTA)} AS reason
        FROM (SELECT id, dimension, row_number() OVER (PARTITION BY dimension ORDER BY {order}) AS place
              FROM rows WHERE _outcome IS NULL)
        WHERE place > CASE dimension {limits} END"""
