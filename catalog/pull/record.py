"""The record of a pull in its row of `runs`: what was requested, and what `history.py` reads in later pulls."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ...errors import NetworkError, UsageError
from ...shards.events import Account, Run
from ..schema.source import SourceCard
from ..sources.clips.failures import REASONS, REFUSALS, RETRYABLE, UNREACHED
from .history import Goal, part_key
from .request import PullRequest

if TYPE_CHECKING:
    from ..files.access import Access
    from ..files.file_set import FileSet

MOST_SHOWN = 8
"""Configurations that a line for the user names."""


@dataclass(slots=True)
class Outcome:
    """How far a source was read, and the result.

    Attributes:
        ended: File sets that do not have to be read again for the same samples.
        held: Number of stored samples of the subset.
        missing: Number of ids in the user's list that the source does not have.
        reached: The requested number is stored.
        done: The goal is reached, or the source was read to its end.
        final: Reading more of the source could not change the result.
        reopened: File sets with clips that were retried and failed again, but not permanently.
        wall: The rate limit or bot check that ended it; empty otherwise.
        ended_by: The option that ended it before the requested number was reached; empty otherwise.
        unmet_labels: The requested labels that no candidate has.
    """

    ended: list[FileSet] = field(default_factory=list)
    held: int | None = None
    missing: int = 0
    reached: bool = False
    done: bool = False
    final: bool = False
    reopened: list[FileSet] = field(default_factory=list)
    wall: str = ""
    ended_by: str = ""
    unmet_labels: list[str] = field(default_factory=list)


def begin_run(request: PullRequest, source: SourceCard) -> Run:
    """Return a new run for a pull from a source, with the given options."""
    card = request.card
    run = Run("pull", card.name, f"catalog pull {card.name}", request.options.asked())
    run.details = {
        "source": source.kind,
        "place": source.place,
        "corpus": {"roles": dict(card.splits), "case": card.case},
    }
    return run


def check_outcome(
    request: PullRequest, source: SourceCard, run: Run, outcome: Outcome, access: Access, *, before: int
) -> str:
    """Return the status of a run whose source was read without an error.

    Args:
        before: The number of samples that the store had of what was requested.

    Raises:
        UsageError: None of the user's files belong to this dataset, or there is no media for any sample.
        NetworkError: The hosts of the clips refused everything.
    """
    account, damaged = run.account, run.details.get("damaged", [])
    came = account.kept + sum(count for reason, count in account.dropped.items() if reason != "no_table")
    if request.options.from_path is not None and not came:
        raise _nothing_found(request, source, damaged, other_configs(request, access))
    if request.options.from_path is not None and not before and came == account.dropped.get("no_media", 0):
        raise _no_media(request, source, came)
    if outcome.wall and not account.kept:
        raise _refused(outcome.wall, account)
    if outcome.wall:
        return "incomplete"
    return "damaged" if damaged else "ok"


def reopen_retryable(outcome: Outcome, source: SourceCard, account: Account, file_sets: list[FileSet]) -> None:
    """Count nothing as read to its end if clips failed temporarily, so that the next run requests them again."""
    if source.is_remote and RETRYABLE & account.dropped.keys():
        outcome.ended, outcome.done, outcome.reopened = [], outcome.reached, file_sets


def notes(
    request: PullRequest, outcome: Outcome, access: Access, *, held: Callable[[], int], done: bool
) -> dict[str, Any]:
    """Return the record for the history of later pulls; `held` is called only if its result is recorded."""
    subset, ended = request.options.subset, _fingerprints(outcome.ended)
    details: dict[str, Any] = {"revisions": access.revisions}
    if request.options.clips.retry and outcome.reopened:
        details["reopened"] = _fingerprints(outcome.reopened)
    if not request.is_chosen:
        details["exhausted"] = ended
    if request.is_chosen or subset.has_limits:
        goal = request.goal()
        details["choice"] = {
            "selection": subset.key(),
            "goal": {name: getattr(goal, name) for name in Goal.__slots__},
            "done": done,
            "reached": outcome.reached,
            "final": outcome.final,
            "held": held(),
            "missing": outcome.missing,
            "exhausted": ended if request.is_chosen else {},
            **({"unmet_labels": outcome.unmet_labels} if outcome.unmet_labels else {}),
        }
    return details


def _fingerprints(file_sets: list[FileSet]) -> dict[str, str]:
    return {part_key(each.config, split): each.fingerprint for each in file_sets for split in each.splits}


def other_configs(request: PullRequest, access: Access) -> list[str]:
    """Return the card's configurations that the user's own files have beside those that a pull takes by default."""
    from ..files.layout import configs_of_files

    card, path, asked = request.card, request.options.from_path, set(request.configs)
    if path is None or request.options.configs or not asked:
        return []
    found = set(access.other_configs)
    if any(source.configs and asked.isdisjoint(source.configs) for source in card.sources):
        found.update(configs_of_files(card, path, allow_outside=request.options.allow_outside))
    return [config for config in card.configs if config in found - asked]


def shown_configs(configs: list[str]) -> str:
    """Return the first of these configurations, for people."""
    return ", ".join(configs[:MOST_SHOWN]) + (" ..." if len(configs) > MOST_SHOWN else "")


def _nothing_found(request: PullRequest, source: SourceCard, missing: list[str], others: list[str]) -> UsageError:
    from ..files.layout import folder_above

    card, path = request.card, request.options.from_path
    if others:
        asked = ", ".join(request.configs)
        return UsageError(
            f"--from {path}: found no files of {card.name} of its default configuration {asked}, but of others: "
            f"{shown_configs(others)}.",
            hint=f"triptych catalog pull {card.name} --config {others[0]} --from {path}",
        )
    layout = card.layout or source.reader_options.get("media")
    expected = f"files like {layout}" if layout else f"files for the reader {source.reader_name!r}"
    asked = ", ".join(request.splits)
    if request.configs and not request.options.configs:
        asked += f"; of the default configuration {', '.join(request.configs)}, others with --config"
    parts = "; ".join([expected, *missing])
    above = path and folder_above(source, card.splits, path, allow_outside=request.options.allow_outside)
    hint = "give the archive as downloaded, or the folder that it was unpacked into"
    return UsageError(
        f"--from {path}: found no files of {card.name} ({asked}): expected {parts}.",
        hint=f"{hint}; if that is a folder of the corpus, one above it: {above}" if above else hint,
    )


def _no_media(request: PullRequest, source: SourceCard, count: int) -> UsageError:
    """Return the error for the user's own files that have texts or tables and no media that belongs to them."""
    from ..files.layout import media_endings

    card, path = request.card, request.options.from_path
    assert path is not None
    there = media_endings(path, allow_outside=request.options.allow_outside)
    media = source.reader_options.get("media")
    wanted = media if isinstance(media, str) else card.layout or f"files for the reader {source.reader_name!r}"
    samples = "the only sample lacks" if count == 1 else f"all {count:,} samples lack"
    return UsageError(
        f"--from {path}: {samples} their media file, which the card expects like {wanted}; "
        f"there {'are ' + ', '.join(there) if there else 'is no media file at all'}.",
        hint=f"compare the files with the layout: triptych catalog show {card.name}",
    )


def _refused(wall: str, account: Account) -> NetworkError:
    """Return the error for a pull in which every host refused and nothing was stored."""
    advice = {reason: REASONS[reason].advice for reason in sorted((REFUSALS | UNREACHED) & account.dropped.keys())}
    return NetworkError(
        f"{wall}: none of {account.candidates:,} candidates was stored.", hint="; ".join(advice.values())
    )
