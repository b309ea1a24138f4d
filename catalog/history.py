"""What earlier pulls of a dataset tell the next one: the source that is kept, the units that were read to their end."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..shards.query import scan
from ..shards.store import Store, quote

if TYPE_CHECKING:
    from .units import Unit


@dataclass(slots=True)
class History:
    """What is known of earlier pulls.

    Attributes:
        source, place: Kind and place of the source that gave the stored rows.
        revisions: Commits that branches of hub repositories were resolved to.
        exhausted: By `[config/]split`, the fingerprints of units that were read to their end.
    """

    source: str | None = None
    place: str | None = None
    revisions: dict[str, str] = field(default_factory=dict)
    exhausted: dict[str, set[str]] = field(default_factory=dict)

    def is_exhausted(self, unit: Unit) -> bool:
        """Whether this very unit was read to its end for all of its splits."""
        return bool(unit.splits) and all(
            unit.fingerprint in self.exhausted.get(part_key(unit.config, split), ()) for split in unit.splits
        )


def part_key(config: str | None, split: str) -> str:
    """The name of one split of one configuration."""
    return f"{config}/{split}" if config else split


def read_history(store: Store, dataset: str) -> History:
    """The history of a dataset in a store, from its rows in `runs`."""
    import duckdb

    with duckdb.connect(":memory:") as connection:
        rows = connection.execute(
            f"SELECT stage, details, kept FROM ({scan(store, 'runs')}) WHERE dataset = {quote(dataset)} "
            "AND stage IN ('pull', 'remove') ORDER BY finished_at"
        ).fetchall()
    history = History()
    for stage, text, kept in rows:
        if stage == "remove":
            history.exhausted.clear()
            continue
        details = json.loads(text)
        if kept:
            history.source, history.place = details.get("source"), details.get("place")
            history.revisions.update(details.get("revisions", {}))
        for split, fingerprint in details.get("exhausted", {}).items():
            history.exhausted.setdefault(split, set()).add(fingerprint)
    return history
