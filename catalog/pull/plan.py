"""`catalog pull --dry-run`: what a pull would read, without storing anything."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from ...errors import GateError, NetworkError
from ...shards.store.store import Store, resolve
from ..files.access import Access
from ..files.file_set import FileSet
from ..schema.source import SourceCard
from ..sources.download.http import HttpClient
from ..subset.options import Subset
from .history import History
from .options import PullOptions
from .request import PullRequest, check_request
from .sources import fallback_notice
from .stored import StoredDataset


@dataclass(slots=True)
class PlannedFileSet:
    """One line of a dry run."""

    place: str
    splits: tuple[str, ...]
    bytes: int | None
    local: bool
    note: str
    config: str | None = None


@dataclass(slots=True)
class PullPlan:
    """The result of a dry run."""

    dataset: str
    source: str
    stored: int
    wanted: int | None
    units: list[PlannedFileSet]
    notes: list[str]
    choice: str = ""


def plan(name: str, *, store_path: Path | str | None = None, options: PullOptions | None = None) -> PullPlan:
    """Return what `pull` would read; requests only listings and sizes from hosts."""
    request = check_request(name, options or PullOptions())
    root = resolve(store_path)
    store = Store(root) if (root / "samples" / "_delta_log").is_dir() else None
    history, held = History(), 0
    if store is not None:
        with StoredDataset(store, request.card.name) as stored:
            history, held = stored.history, request.held(stored)
    with HttpClient(tokens=request.tokens()) as client:
        access = request.access(client, root / "partial", history)
        source, file_sets = _first_file_sets(request, history, access)
        planned = [_planned(file_set, history, client, request.options.subset) for file_set in file_sets]
    notes = list(access.notices)
    if request.options.subset.is_draw:
        notes.append(_listing_note(source, file_sets))
    elif request.options.samples is not None and source.kind == "archive":
        notes.append(_reading_note(file_sets))
    if source.is_remote:
        notes.append(_clips_note(request, held))
    choice = ", ".join(f"{name}: {_shown(value)}" for name, value in request.options.subset.asked().items())
    return PullPlan(request.card.name, source.kind, held, request.options.samples, planned, notes, choice)


def _shown(value: object) -> str:
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)


def _listing_note(source: SourceCard, file_sets: list[FileSet]) -> str:
    """Return a note on how the source is listed before a draw."""
    if source.synthetic is not None:
        return "a draw lists everything first: all samples are generated twice"
    if source.is_remote:
        return "a draw lists everything first: only the tables are read, then the drawn clips"
    if source.hub is not None:
        return "a draw lists everything first: only the Parquet columns without media are read, then the drawn rows"
    if file_sets and all(file_set.seekable for file_set in file_sets):
        return "a draw lists everything first: only the zip directory and tables are read, then the drawn members"
    return "a draw lists everything first: the whole archive is read, then read again for the drawn samples"


def _reading_note(file_sets: list[FileSet]) -> str:
    if file_sets and all(file_set.seekable for file_set in file_sets):
        return "only the zip directory and the needed members are downloaded"
    return "an archive is read as a stream until the number is reached"


def _clips_note(request: PullRequest, held: int) -> str:
    """Return a note on how many clips are downloaded."""
    jobs, samples = request.options.clips.jobs, request.options.samples
    left = max(0, samples - (0 if request.is_chosen else held)) if samples is not None else 0
    most = f", at most {left + jobs:,} unless some are gone" if left else ""
    return f"each row is a separate clip; {jobs} are downloaded at once{most}"


def _first_file_sets(request: PullRequest, history: History, access: Access) -> tuple[SourceCard, list[FileSet]]:
    """Return the first reachable source and its file sets."""
    sources = request.sources(history)
    for source, following in pairwise(sources):
        try:
            return source, request.file_sets(source, access)
        except GateError:
            raise
        except NetworkError as error:
            access.notice(fallback_notice(source, error, following))
    return sources[-1], request.file_sets(sources[-1], access)


def _planned(file_set: FileSet, history: History, client: HttpClient, subset: Subset) -> PlannedFileSet:
    size = file_set.bytes
    if size is None and len(file_set.urls) == 1:
        size = client.head(file_set.urls[0]).size
    note = "already read to its end: nothing to do" if history.is_exhausted(file_set, key=subset.key()) else ""
    return PlannedFileSet(file_set.place, file_set.splits, size, file_set.local, note, file_set.config)
