"""`catalog pull`: from a card's name to samples in the store. One page, read from top to bottom.

    resolve    which source, and which file sets of it are still to be read    sources.py, files/, history.py
    open       a file set, to its raw files                                    files/open.py
    read       raw files to candidates                                         candidates.py, converters/readers/
    filter     candidates that were not asked for are let go of                subset/filter.py
      or draw  the source is listed first, then the drawn ones are read        draw.py
    fetch      media that lies elsewhere, clip by clip                         candidates.py, sources/clips/
    ingest     probe, store, commit, account                                   converters/ingest/

Each stage takes an iterator of items and gives one (`candidates.py` says what an item is). Configurations and splits
are taken in the card's order until the number asked for is stored. The first source that can be reached is used and
then kept; a file set that was read to its end before is not opened again, so a repeated pull fetches nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import zip_longest
from typing import TYPE_CHECKING

from ...errors import GateError, NetworkError, UsageError
from ...shards.events import Account, Run
from ...shards.store.store import Store
from ..schema.source import SourceCard
from .candidates import CandidateReader, noting_read, pipeline
from .options import PullOptions
from .record import Outcome, begin_run, check_outcome, notes, reopen_retryable
from .request import PullRequest, check_request
from .sources import fallback_notice
from .stored import StoredDataset

if TYPE_CHECKING:
    from ...converters.ingest.ingest import IngestOptions
    from ..files.access import Access
    from ..files.file_set import FileSet

# What opens, reads and stores is imported where it is used: a pull that finds everything stored needs none of it.

SAMPLES_OF_ONE = 5
"""So many samples of one speaker, on average, where the corpus has other speakers too, are worth a word."""


@dataclass(slots=True)
class PullResult:
    """What a pull of one dataset did.

    Attributes:
        source: The kind of source that was used; None where nothing was left to do.
        stored: Samples of the subset that the store holds now.
        account: Where this run's candidates went.
        damaged: Faults of whole files (truncated archives); the good rows before them are stored.
        complete: The number asked for is reached, or every file set was read to its end.
        reached: The number asked for is reached.
        missing: Ids of the user's list that the dataset does not have.
        wall: What ended the pull, where hosts of clips let nothing through any more.
    """

    dataset: str
    source: str | None
    stored: int
    account: Account
    run_id: str | None = None
    damaged: list[str] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)
    complete: bool = True
    reached: bool = False
    missing: int = 0
    wall: str = ""


def pull(request: PullRequest, *, store: Store) -> PullResult:
    """Pull a dataset of the catalog into the store; `check_request` makes the request.

    Raises:
        UsageError: No such source; nothing of the user's files is of this dataset.
        GateError: The data is behind a form or login, or must be got by hand; nothing was done.
        NetworkError: No source could be reached, or one was lost midway (what came is stored).
        DamagedError: A checksum does not agree. Of a file read whole nothing was stored; rows of a prefix that were
            stored before the sum could be known say so in their revision.
    """
    with StoredDataset(store, request.card.name) as stored:
        done = _stored_already(request, stored)
        if done is not None:
            return done
        from ..sources.download.http import HttpClient

        store.media.sweep_scratch()
        with HttpClient(tokens=request.tokens()) as client:
            access = request.access(client, store.root / "partial", stored.history)
            return _from_first_source(request, store, stored, access)


def _stored_already(request: PullRequest, stored: StoredDataset) -> PullResult | None:
    """The answer, where the store holds all that is asked for already."""
    name, goal = request.card.name, request.goal()
    met = stored.history.met_by(goal)
    if met is not None and (met.reached or not request.options.clips.retry):
        return PullResult(name, None, met.held, Account(), missing=met.missing)
    if request.is_chosen:
        return None
    held = request.held(stored)
    enough = goal.samples is not None and held >= goal.samples
    if enough or (goal.hours is not None and request.held_seconds(stored) >= goal.hours * 3600):
        return PullResult(name, None, held, Account())
    return None


def _from_first_source(request: PullRequest, store: Store, stored: StoredDataset, access: Access) -> PullResult:
    """From the first source that can be reached; the next one only where nothing came of it at all."""
    sources = request.sources(stored.history)
    for source, following in zip_longest(sources, sources[1:]):
        before = stored.count()
        try:
            return _SourcePull(request, source, store, stored, access).run()
        except GateError:
            raise
        except NetworkError as error:
            stored.refresh()
            if following is None or stored.count() != before:
                raise
            access.notice(fallback_notice(source, error, following))
    raise UsageError(f"the card {request.card.name} has no source to try.")


class _SourcePull:
    """One pull from one source: its stages, in the order in which they run."""

    def __init__(
        self, request: PullRequest, source: SourceCard, store: Store, stored: StoredDataset, access: Access
    ) -> None:
        self.request = request
        self.source = source
        self.store = store
        self.stored = stored
        self.access = access
        self.card = request.card
        self.options = request.options
        self.subset = request.options.subset
        self.before = request.held(stored)

    def run(self) -> PullResult:
        self.request.check_tools(self.source)
        file_sets = self._resolve()
        if not file_sets:
            return self._nothing_left()
        file_sets[0].prepare()
        run, outcome = begin_run(self.request, self.source), Outcome()
        with self._recorded(run, outcome, file_sets):
            reader = CandidateReader(self.request, self.source, self.stored, self.access)
            if self.subset.is_draw:
                self._take_draw(reader, file_sets, run, outcome)
            else:
                self._take_stream(reader, file_sets, run, outcome)
            outcome.wall = "" if outcome.reached else reader.wall
        if not self.options.keep_raw:
            for file_set in outcome.ended:
                file_set.discard()
        if outcome.reached and not self.request.is_chosen:
            self._tell_few_speakers()
        return PullResult(
            self.card.name,
            self.source.kind,
            self._held(outcome),
            run.account,
            run.run_id,
            run.details.get("damaged", []),
            self.access.notices,
            complete=outcome.done,
            reached=outcome.reached,
            missing=outcome.missing,
            wall=outcome.wall,
        )

    # ---- resolve

    def _resolve(self) -> list[FileSet]:
        """The file sets to read; empty where each was read to its end before, for everybody or for this subset."""
        file_sets = self.request.file_sets(self.source, self.access)
        unread = [file_set for file_set in file_sets if not self._is_exhausted(file_set)]
        if unread and self.subset.is_draw:
            # A draw is one from all, also from what another pull has read to its end.
            self.access.whole = self.source.hub is None and not all(each.seekable for each in file_sets)
            return file_sets
        return unread

    def _is_exhausted(self, file_set: FileSet) -> bool:
        if self.options.clips.retry:
            return False
        return self.stored.history.is_exhausted(file_set, key=self.subset.key(), only_key=self.subset.has_spans)

    # ---- open, read, filter, fetch, ingest

    def _take_stream(self, reader: CandidateReader, file_sets: list[FileSet], run: Run, outcome: Outcome) -> None:
        """In the source's own order, filtered."""
        from ...converters.ingest.ingest import Ingest
        from ..subset.filter import Filter

        filters = Filter(self.subset, self.card.name, reader.defaults)
        is_filtered = self.subset.is_filter or self.subset.max_tries is not None
        ingest = Ingest(self.store, run, self._ingest_options())
        with pipeline(
            reader.read(file_sets, chosen=filters.may_pass, settles=not self.subset.needs_fields),
            *([filters.apply] if is_filtered else []),
            reader.fetch,
            noting_read(outcome.ended),
        ) as items:
            ingest.take(items)
        outcome.reached = ingest.reached
        outcome.missing = filters.missing
        outcome.final = ingest.reached or (is_filtered and not filters.ended)
        outcome.done = outcome.final or len(outcome.ended) == len(file_sets)
        outcome.held = ingest.quota.samples if self.subset.is_filter else None
        for label in filters.unmet_labels() if filters.ended else ():
            self.access.notice(f"--labels: nothing read here has the label {label}")

    # ---- open, read, draw, fetch, ingest

    def _take_draw(self, reader: CandidateReader, file_sets: list[FileSet], run: Run, outcome: Outcome) -> None:
        """The drawn candidates, and what stands in for those that fail, pass by pass over the source."""
        from ...converters.ingest.ingest import Ingest
        from .draw import SourceDraw

        draw = SourceDraw(reader, file_sets, self.subset, self.stored)
        options = replace(self._ingest_options(), limit=None, limit_seconds=None)
        for drawn in draw.passes(self.options.samples):
            with pipeline(drawn, reader.fetch) as items:
                Ingest(self.store, run, options).take(items)
        draw.balance(run.account)
        is_listed = len(draw.ended) == len(file_sets)
        outcome.reached, outcome.held, outcome.missing = draw.reached, draw.held, draw.missing
        outcome.ended = draw.ended if draw.has_all else []
        outcome.done = is_listed
        outcome.final = is_listed and (draw.reached or not draw.has_all)

    def _ingest_options(self) -> IngestOptions:
        from ...converters.ingest.ingest import IngestOptions

        hours, chosen = self.subset.hours, self.request.is_chosen
        return IngestOptions(
            defaults=self.card.defaults(),
            limit=self.options.samples,
            limit_seconds=hours * 3600 if hours is not None else None,
            held=0 if chosen else self.before,
            held_seconds=self.request.held_seconds(self.stored) if hours is not None and not chosen else 0.0,
            count_known=chosen,
            length_of=self.stored.lengths() if hours is not None and chosen else lambda _: 0.0,
            link=self.options.link,
            progress=self.options.on_samples,
        )

    # ---- what is written down and said

    @contextmanager
    def _recorded(self, run: Run, outcome: Outcome, file_sets: list[FileSet]) -> Iterator[None]:
        """The row of the run is written whatever happens, once there was anything to account for."""
        status = "incomplete"
        try:
            yield
            status = check_outcome(self.request, self.source, run, outcome)
        finally:
            self.stored.refresh()
            reopen_retryable(outcome, self.source, run.account, file_sets)
            if status == "ok" or run.account.candidates:
                done = outcome.done and status == "ok"
                run.details |= notes(self.request, outcome, self.access, held=lambda: self._held(outcome), done=done)
                run.finish(self.store, status=status)

    def _held(self, outcome: Outcome) -> int:
        return self.request.held(self.stored) if outcome.held is None else outcome.held

    def _nothing_left(self) -> PullResult:
        """Every file set was read to its end before, for everybody or for this subset."""
        latest = self.stored.history.latest(self.request.goal()) if self.request.is_chosen else None
        held, missing = (latest.held, latest.missing) if latest else (self.before, 0)
        return PullResult(self.card.name, None, held, Account(), notices=self.access.notices, missing=missing)

    def _tell_few_speakers(self) -> None:
        """Corpora lie speaker by speaker: the first hundred samples are often of one or two."""
        speakers, count = self.request.held_speakers(self.stored), self.request.held(self.stored)
        has_more = self.card.scale.speakers is None or self.card.scale.speakers > (speakers or 0)
        if speakers and has_more and count >= SAMPLES_OF_ONE * speakers:
            whose = "1 speaker" if speakers == 1 else f"{speakers} speakers"
            self.access.notice(f"{count:,} samples of {whose}; for a mixed draw: --by hash or --balance speaker")


__all__ = ["PullOptions", "PullResult", "check_request", "pull"]
