"""What earlier pulls of a dataset tell the next one.

The source that is kept, the file sets that were read to their end (for everybody, or for one subset only), and
the goals of subsets that were reached.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

from ...shards.store.snapshot import Snapshot
from ...shards.store.sql import quote

if TYPE_CHECKING:
    from ..files.file_set import FileSet


@dataclass(frozen=True, slots=True)
class Goal:
    """What a pull of a subset is after: which samples (`key`), and how many of them, whatever ends it first."""

    key: str
    samples: int | None
    hours: float | None
    max_tries: int | None

    def is_met_by(self, other: Goal, *, reached: bool) -> bool:
        """Whether a pull that came to its end with the goal `other` did all that this one would do.

        `reached` says that its number or hours were reached. A smaller draw is part of a larger one.
        """
        if self == other:
            return True
        if self.key != other.key or not reached:
            return False
        if self.hours is None and other.hours is None:
            return self.samples is not None and other.samples is not None and self.samples <= other.samples
        if self.samples is None and other.samples is None:
            return self.hours is not None and other.hours is not None and self.hours <= other.hours
        return False


@dataclass(frozen=True, slots=True)
class Met:
    """What a pull of a subset came to.

    Attributes:
        reached: Its number or hours were reached.
        final: Nothing that a source could still hold would change it: reached, or ended by another limit.
        held: Samples of the subset that were in the store then.
        missing: Ids of a list that the source did not have.
    """

    goal: Goal
    reached: bool
    final: bool
    held: int
    missing: int


@dataclass(slots=True)
class History:
    """What is known of earlier pulls.

    Attributes:
        source, place: Kind and place of the source that gave the stored rows.
        revisions: Commits that branches of hub repositories were resolved to.
        exhausted: By `[config/]split`, the fingerprints of file sets that were read to their end.
        exhausted_by: The same by the key of a subset, for file sets of which only a subset was taken.
        met: What pulls of subsets came to, the latest last.
    """

    source: str | None = None
    place: str | None = None
    revisions: dict[str, str] = field(default_factory=dict)
    exhausted: dict[str, set[str]] = field(default_factory=dict)
    exhausted_by: dict[str, dict[str, set[str]]] = field(default_factory=dict)
    met: list[Met] = field(default_factory=list)

    def is_exhausted(self, file_set: FileSet, *, key: str = "", only_key: bool = False) -> bool:
        """Whether this very file set was read to its end for all of its splits: for everybody, or for the subset `key`.

        `only_key` where the subset makes samples that nobody else would store.
        """
        of_key = self.exhausted_by.get(key, {})
        of_all = {} if only_key else self.exhausted
        return bool(file_set.splits) and all(
            file_set.fingerprint in of_key.get(part, ()) or file_set.fingerprint in of_all.get(part, ())
            for part in (part_key(file_set.config, split) for split in file_set.splits)
        )

    def met_by(self, goal: Goal) -> Met | None:
        """The latest pull that did all that one with this goal would do."""
        known = (met for met in reversed(self.met) if met.final and goal.is_met_by(met.goal, reached=met.reached))
        return next(known, None)

    def latest(self, goal: Goal) -> Met | None:
        """The latest pull of the same subset, however many samples it was after."""
        return next((met for met in reversed(self.met) if met.goal.key == goal.key), None)

    def note(self, details: Mapping[str, Any], kept: int) -> None:
        """What a pull wrote down."""
        if kept:
            self.source, self.place = details.get("source"), details.get("place")
            self.revisions.update(details.get("revisions", {}))
        self._reopen(details.get("reopened", {}))
        _note_ended(self.exhausted, details.get("exhausted", {}))
        choice = details.get("choice")
        if choice is None:
            return
        _note_ended(self.exhausted_by.setdefault(choice["selection"], {}), choice["exhausted"])
        if choice["done"]:
            goal = Goal(**{item.name: choice["goal"][item.name] for item in fields(Goal)})
            self.met.append(Met(goal, choice["reached"], choice["final"], choice["held"], choice["missing"]))

    def _reopen(self, parts: Mapping[str, str]) -> None:
        """Clips of these file sets are to be asked for again: nobody has read them to their end."""
        for known in (self.exhausted, *self.exhausted_by.values()):
            for part, fingerprint in parts.items():
                known.get(part, set()).discard(fingerprint)
        if parts:
            self.met = [met for met in self.met if met.reached]


def part_key(config: str | None, split: str) -> str:
    """The name of one split of one configuration."""
    return f"{config}/{split}" if config else split


def read_history(snapshot: Snapshot, dataset: str) -> History:
    """The history of a dataset in a store, from its rows in `runs`."""
    history = History()
    for stage, text, kept in snapshot.rows(
        f"SELECT stage, details, kept FROM ({snapshot.scan('runs')}) WHERE dataset = {quote(dataset)} "
        "AND stage IN ('pull', 'remove') ORDER BY finished_at"
    ):
        if stage == "remove":
            history.exhausted.clear()
            history.exhausted_by.clear()
            history.met.clear()
            continue
        history.note(json.loads(text), kept)
    return history


def _note_ended(exhausted: dict[str, set[str]], ended: Mapping[str, str]) -> None:
    for part, fingerprint in ended.items():
        exhausted.setdefault(part, set()).add(fingerprint)
