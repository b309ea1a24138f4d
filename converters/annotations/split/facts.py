"""Facts of a split: why groups keep their place, and what each split has."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ....shards.split_roles import guessed_role
from ....shards.store.sql import first_row, quote
from .options import SplitOptions

if TYPE_CHECKING:
    import duckdb

MILLISECONDS = (
    "round(greatest(coalesce(end_s, audio.duration, video.duration) - coalesce(start_s, 0), 0) * 1000)::BIGINT"
)
"""SQL for the length of a sample; whole numbers have the same sum in any order."""
_SEVERITY = {"test": 0, "validation": 1}
_WHY = {
    "of the corpus": "stay held out with the corpus's own validation or test samples of their groups",
    "by hand": "stay with samples of their groups that were assigned by hand",
    "outside": "stay with samples of their groups that are not split here",
    "earlier": "are in groups that an earlier split has placed",
}


@dataclass(slots=True)
class Pins:
    """Why groups keep their place: samples by reason.

    Attributes:
        without_key: Samples without a value of the key.
    """

    samples: Counter[str] = field(default_factory=Counter)
    without_key: int = 0

    def of(self, places: Mapping[str, Sequence[str] | None], samples: int, names: Mapping[str, str]) -> str | None:
        """The place that a group keeps, of all that its samples have: the most held-out one.

        Args:
            places: By reason.
            names: The split that stands for a role.
        """
        found = [
            (_SEVERITY.get(guessed_role(place) or "", 2), order, names.get(place, place), why)
            for order, (why, of_reason) in enumerate(places.items())
            for place in of_reason or ()
        ]
        if not found:
            return None
        _, _, split, why = min(found)
        self.samples[why] += samples
        return split

    def notes(self) -> list[str]:
        notes = [f"{self.samples[why]:,} samples {text}" for why, text in _WHY.items() if self.samples[why]]
        if self.without_key:
            notes.append(f"{self.without_key:,} samples have no value of the key")
        return notes


def facts_of(connection: duckdb.DuckDBPyConnection, producer: str) -> dict[str, Any]:
    """What the samples of a kind are once `new_splits` is written.

    Samples that an earlier split of the kind has placed and that are not split now count too.
    """
    connection.execute(f"""
        CREATE OR REPLACE TEMP TABLE covered AS
        SELECT dataset, id, component, value FROM new_splits
        UNION ALL
        SELECT p.dataset, p.id, p.component, s.assigned_split FROM placed p
        JOIN samples s ON s.dataset = p.dataset AND s.id = p.id
        ANTI JOIN new_splits n ON n.dataset = p.dataset AND n.id = p.id
        WHERE p.producer = {quote(producer)}""")
    rows = connection.execute(f"""
        SELECT value, count(DISTINCT c.component), count(*), sum(milliseconds)::BIGINT,
               list_sort(list(DISTINCT format('{{:016x}}', c.component)))
        FROM covered c JOIN (
            SELECT dataset, id, {MILLISECONDS} AS milliseconds FROM samples
        ) s ON s.dataset = c.dataset AND s.id = c.id GROUP BY value ORDER BY value""").fetchall()
    largest, whole = first_row(connection, """
        SELECT max(n), sum(n) FROM (SELECT count(*) AS n FROM covered GROUP BY component)""") or (0, 0)  # fmt: skip
    datasets = connection.execute("SELECT dataset, count(*) FROM covered GROUP BY 1 ORDER BY 1").fetchall()
    return {
        "datasets": dict(datasets),
        "samples": int(whole or 0),
        "groups": sum(row[1] for row in rows),
        "largest_group": {"samples": int(largest or 0), "part": round(int(largest or 0) / max(int(whole or 0), 1), 4)},
        "splits": {
            str(name): {"groups": groups, "samples": samples, "milliseconds": ms or 0, "group_hashes": hashes}
            for name, groups, samples, ms, hashes in rows
        },
    }


def shares_reached(splits: Mapping[str, Mapping[str, Any]], options: SplitOptions) -> dict[str, dict[str, Any]]:
    """The same with the shares asked for and reached, in the order of the shares; other splits come last."""
    shares = options.chosen_shares.of_one()
    measure = "samples" if options.balance == "rows" else "milliseconds"
    whole = sum(facts[measure] for name, facts in splits.items() if name in shares) or 1
    found = {}
    for name in [*shares, *(name for name in splits if name not in shares)]:
        facts = splits[name]
        found[name] = {
            "groups": facts["groups"],
            "samples": facts["samples"],
            "hours": round(facts["milliseconds"] / 3_600_000, 4),
            "share": round(float(shares[name]), 4) if name in shares else None,
            "reached": round(facts[measure] / whole, 4) if name in shares else None,
        }
    return found
