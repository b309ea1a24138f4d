"""The history of a dataset's pulls.

It has the source to keep using, the file sets that were read to their end (for every pull, or for one subset only),
and the goals of subsets that were reached.
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
    """The goal of a pull of a subset: which samples (`key`), and the limits; the first limit reached ends the pull."""

    key: str
    samples: int | None
    hours: float | None
    max_tries: int | None

    def is_met_by(self, other: Goal, *, reached: bool) -> bool:
        """Whether a finished pull with the goal `other` did everything that this one would do.

        `reached` means that its number or hours were reached. A larger draw contains the smaller one.
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
    """The outcome of a pull of a subset.

    Attributes:
        reached: Its number or hours were reached.
        final: Reading more of the source could not change it: reached, or ended by another limit.
        held: Number of stored samples of the subset at that time.
        missing: Number of listed ids that the source did not have.
        unmet_labels: The requested labels that no candidate had.
    """

    goal: Goal
    reached: bool
    final: bool
    held: int
    missing: int
    unmet_labels: tuple[str, ...] = ()


@dataclass(slots=True)
class History:
    """What earlier pulls recorded.

    Attributes:
        source, place: Kind and place of the source of the stored rows.
        revisions: Commits that branches of hub repositories were resolved to.
        exhausted: By `[config/]split`, the fingerprints of file sets that were read to their end.
        exhausted_by: The same by the key of a subset, for file sets of which only a subset was taken.
        met: The outcomes of pulls of subsets, the latest last.
    """

    source: str | None = None
    place: str | None = None
    revisions: dict[str, str] = field(default_factory=dict)
    exhausted: dict[str, set[str]] = field(default_factory=dict)
    exhausted_by: dict[str, dict[str, set[str]]] = field(default_factory=dict)
    met: list[Met] = field(default_factory=list)

    def is_exhausted(self, file_set: FileSet, *, key: str = "", only_key: bool = False) -> bool:
        """Whether this file set was read to its end for all of its splits: for every pull, or for the subset `key`.

        Use `only_key` if the subset creates samples that no other pull would store.
        """
        by_key = self.exhausted_by.get(key, {})
        by_all = {} if only_key else self.exhausted
        return bool(file_set.splits) and all(
            file_set.fingerprint in by_key.get(part, ()) or file_set.fingerprint in by_all.get(part, ())
            for part in (part_key(file_set.config, split) for split in file_set.splits)
        )

    def met_by(self, goal: Goal) -> Met | None:
        """Return the latest pull that did everything that one with this goal would do."""
        known = (met for met in reversed(self.met) if met.final and goal.is_met_by(met.goal, reached=met.reached))
        return next(known, None)

    def latest(self, goal: Goal) -> Met | None:
        """Return the latest pull of the same subset, whatever its limits."""
        return next((met for met in reversed(self.met) if met.goal.key == goal.key), None)

    def note(self, details: Mapping[str, Any], kept: int) -> None:
        """Add the record of one pull."""
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
            unmet = tuple(choice.get("unmet_labels", ()))
            self.met.append(Met(goal, choice["reached"], choice["final"], choice["held"], choice["missing"], unmet))

    def _reopen(self, parts: Mapping[str, str]) -> None:
        """Mark file sets as not read to their end, because some of their clips must be requested again."""
        for known in (self.exhausted, *self.exhausted_by.values()):
            for part, fingerprint in parts.items():
                known.get(part, set()).discard(fingerprint)
        if parts:
            self.met = [met for met in self.met if met.reached]


def part_key(config: str | None, split: str) -> str:
    """Return the key of one split of one configuration."""
    return f"{config}/{split}" if config else split


def read_history(snapshot: Snapshot, dataset: str) -> History:
    """Read the history of a dataset in a store from its rows in `runs`."""
    history = History()
    if snapshot.is_empty("runs"):
        return history
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
