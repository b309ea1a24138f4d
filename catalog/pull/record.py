"""What a pull writes down in its row of `runs`: what was asked for, and what `history.py` tells the next pulls."""

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


@dataclass(slots=True)
class Outcome:
    """How far a source was read, and what came of it.

    Attributes:
        ended: File sets that nobody need read again for the same samples.
        held: Samples of the subset that the store holds.
        missing: Ids of the user's list that the source does not have.
        reached: The number asked for is stored.
        done: The goal is reached, or nothing is left of the source.
        final: Nothing that a source could still hold would change what came of it.
        reopened: File sets of which clips were asked for once more, in vain but not for good.
        wall: What ended it, where no host of clips let anything through any more.
    """

    ended: list[FileSet] = field(default_factory=list)
    held: int | None = None
    missing: int = 0
    reached: bool = False
    done: bool = False
    final: bool = False
    reopened: list[FileSet] = field(default_factory=list)
    wall: str = ""


def begin_run(request: PullRequest, source: SourceCard) -> Run:
    """The run of a pull from a source, with the options that were given."""
    card = request.card
    run = Run("pull", card.name, f"catalog pull {card.name}", request.options.asked())
    run.details = {
        "source": source.kind,
        "place": source.place,
        "corpus": {"roles": dict(card.splits), "case": card.case},
    }
    return run


def check_outcome(request: PullRequest, source: SourceCard, run: Run, outcome: Outcome) -> str:
    """The status of a run whose source was read without an error.

    Raises:
        UsageError: Nothing of the user's files is of this dataset.
        NetworkError: Hosts of clips refused everything.
    """
    account, damaged = run.account, run.details.get("damaged", [])
    came = account.kept + sum(count for reason, count in account.dropped.items() if reason != "no_table")
    if request.options.from_path is not None and not came:
        raise _nothing_there(request, source, damaged)
    if outcome.wall and not account.kept:
        raise _refused(outcome.wall, account)
    if outcome.wall:
        return "incomplete"
    return "damaged" if damaged else "ok"


def reopen_retryable(outcome: Outcome, source: SourceCard, account: Account, file_sets: list[FileSet]) -> None:
    """Where clips failed for now, the next run asks for them again: then nothing was read to its end."""
    if source.is_remote and RETRYABLE & account.dropped.keys():
        outcome.ended, outcome.done, outcome.reopened = [], outcome.reached, file_sets


def notes(
    request: PullRequest, outcome: Outcome, access: Access, *, held: Callable[[], int], done: bool
) -> dict[str, Any]:
    """What the history of the next pulls is made of; the store is asked what it holds only where that is kept."""
    subset, ended = request.options.subset, _fingerprints(outcome.ended)
    said: dict[str, Any] = {"revisions": access.revisions}
    if request.options.clips.retry and outcome.reopened:
        said["reopened"] = _fingerprints(outcome.reopened)
    if not request.is_chosen:
        said["exhausted"] = ended
    if request.is_chosen or subset.has_limits:
        goal = request.goal()
        said["choice"] = {
            "selection": subset.key(),
            "goal": {name: getattr(goal, name) for name in Goal.__slots__},
            "done": done,
            "reached": outcome.reached,
            "final": outcome.final,
            "held": held(),
            "missing": outcome.missing,
            "exhausted": ended if request.is_chosen else {},
        }
    return said


def _fingerprints(file_sets: list[FileSet]) -> dict[str, str]:
    return {part_key(each.config, split): each.fingerprint for each in file_sets for split in each.splits}


def _nothing_there(request: PullRequest, source: SourceCard, lacking: list[str]) -> UsageError:
    card = request.card
    layout = card.layout or source.reader_options.get("media")
    expected = f"files like {layout}" if layout else f"what the reader {source.reader_name!r} reads"
    return UsageError(
        f"--from {request.options.from_path}: nothing there is of {card.name} "
        f"({', '.join(request.splits)}): expected {'; '.join([expected, *lacking])}.",
        hint="give the archive as it was downloaded, or the folder it was unpacked into",
    )


def _refused(wall: str, account: Account) -> NetworkError:
    """Every host sends us away, and nothing came of it."""
    advice = {reason: REASONS[reason].advice for reason in sorted((REFUSALS | UNREACHED) & account.dropped.keys())}
    return NetworkError(f"{wall}: nothing was stored of {account.candidates:,} tried.", hint="; ".join(advice.values()))
