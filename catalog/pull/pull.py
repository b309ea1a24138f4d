"""`catalog pull`: from a card's name to samples in the store. Read this file from top to bottom.

    resolve    choose the source and its file sets that are not read yet       sources.py, files/, history.py
    open       from a file set to raw files                                    files/open.py
    read       from raw files to candidates                                    candidates.py, converters/readers/
    promise    stop if a split lacks what the card promises                    promises.py
    filter     drop the candidates that are not requested                      subset/filter.py
      or draw  list the source, then read the drawn candidates                 draw.py
    fetch      download remote media, clip by clip                             candidates.py, sources/clips/
    ingest     probe, store, commit, account                                   converters/ingest/

Each stage takes an iterator of items and returns one (items are defined in `candidates.py`). Configurations and splits
are read in the card's order until the requested number is stored. The first reachable source is used and then kept; a
file set that was read to its end is not opened again, so a repeated pull downloads nothing.
"""

from __future__ import annotations

import logging
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
from .record import Outcome, begin_run, check_outcome, notes, other_configs, reopen_retryable, shown_configs
from .request import PullRequest, check_request
from .sources import fallback_notice
from .stored import StoredDataset

if TYPE_CHECKING:
    from ...converters.ingest.options import IngestOptions
    from ..files.access import Access
    from ..files.file_set import FileSet
    from .promises import Promises

log = logging.getLogger("triptych")

# Modules that open, read and store are imported where they are used: a pull with nothing to do needs none of them.

SAMPLES_OF_ONE = 5
"""A notice is shown for this many samples per speaker on average, if the corpus has more speakers."""


@dataclass(slots=True)
class PullResult:
    """The result of pulling one dataset.

    Attributes:
        source: The kind of source that was used; None if there was nothing to do.
        stored: Number of stored samples of the subset after the pull.
        account: What happened to this run's candidates.
        damaged: Faults of whole files (truncated archives); the good rows before the fault are stored.
        complete: The requested number is reached, or every file set was read to its end.
        reached: The requested number is reached.
        missing: Number of ids in the user's list that the dataset does not have.
        wall: The rate limit or bot check that ended the pull; empty otherwise.
        ended_by: The option that ended the pull before the requested number was reached; empty otherwise.
        unmet_labels: The requested labels that no candidate has.
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
    ended_by: str = ""
    unmet_labels: list[str] = field(default_factory=list)


def pull(request: PullRequest, *, store: Store) -> PullResult:
    """Pull a dataset of the catalog into the store; `check_request` creates the request.

    Raises:
        UsageError: No such source, or none of the user's files belong to this dataset.
        GateError: The data needs a form or login, or must be downloaded manually; nothing was done.
        NetworkError: No source could be reached, or the connection was lost midway (what was read is stored).
        DamagedError: A checksum does not match. If the file was verified before reading, nothing of it was stored; rows
            of a prefix that were stored before the checksum was known have `(prefix)` in their revision.
    """
    with StoredDataset(store, request.card.name) as stored:
        _refuse_imported(stored)
        done = _stored_already(request, stored)
        if done is not None:
            log.info("pull %s: %d samples stored already; nothing to fetch", done.dataset, done.stored)
            return done
        from ..sources.download.http import HttpClient

        store.media.sweep_scratch()
        with HttpClient(tokens=request.tokens()) as client:
            access = request.access(client, store.root / "partial", stored.history)
            return _from_first_source(request, store, stored, access)


def _refuse_imported(stored: StoredDataset) -> None:
    """Raise UsageError if the dataset's rows were imported: they must not mix with those of the card."""
    if stored.history.source is not None or not (imported := stored.imported_by()):
        return
    if not stored.count():
        return
    raise UsageError(
        f"The dataset {stored.dataset!r} of this store holds imported rows (`{imported}`): a pull of the card would "
        "mix its own with them.",
        hint="pull into another store (--store), or take the imported rows out and import them under another --name: "
        f"triptych store remove {stored.dataset} --forget",
    )


def _stored_already(request: PullRequest, stored: StoredDataset) -> PullResult | None:
    """Return the result if everything requested is already stored."""
    name, goal = request.card.name, request.goal()
    met = stored.history.met_by(goal)
    if met is not None and (met.reached or not request.options.clips.retry):
        unmet = [*met.unmet_labels]
        return PullResult(name, None, met.held, Account(), reached=met.reached, missing=met.missing, unmet_labels=unmet)
    if request.is_chosen:
        return None
    held = request.held(stored)
    enough = goal.samples is not None and held >= goal.samples
    if enough or (goal.hours is not None and request.held_seconds(stored) >= goal.hours * 3600):
        return PullResult(name, None, held, Account(), reached=True)
    return None


def _from_first_source(request: PullRequest, store: Store, stored: StoredDataset, access: Access) -> PullResult:
    """Pull from the first reachable source; try the next one only if nothing at all was stored."""
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
    """One pull from one source; the methods are in the order in which the stages run."""

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
        log.info("pull %s: source %s %s", self.card.name, self.source.kind, self.source.place)
        file_sets = self._resolve()
        log.info("pull %s: %d file sets to read", self.card.name, len(file_sets))
        if not file_sets:
            return self._nothing_left()
        file_sets[0].prepare()
        run, outcome = begin_run(self.request, self.source), Outcome()
        with self._recorded(run, outcome, file_sets):
            reader = CandidateReader(self.request, self.source, self.stored, self.access)
            promises = self._promises(run)
            if self.subset.is_draw:
                self._take_draw(reader, promises, file_sets, run, outcome)
            else:
                self._take_stream(reader, promises, file_sets, run, outcome)
            promises.settle()
            outcome.wall = "" if outcome.reached else reader.wall
        held = self._held(outcome)
        is_short = self.options.samples is not None and held < self.options.samples
        ended_by = "--hours" if outcome.reached and is_short else outcome.ended_by if is_short else ""
        if not self.options.keep_raw:
            for file_set in outcome.ended:
                file_set.discard()
        account = run.account
        log.info("pull %s: %d stored of %d tried", self.card.name, account.kept, account.candidates)
        if outcome.reached and not self.request.is_chosen:
            self._notice_few_speakers()
        if others := other_configs(self.request, self.access):
            self.access.notice(f"the files have other configurations, too (--config): {shown_configs(others)}")
        return PullResult(
            self.card.name,
            self.source.kind,
            held,
            run.account,
            run.run_id,
            run.details.get("damaged", []),
            self.access.notices,
            complete=outcome.done,
            reached=outcome.reached,
            missing=outcome.missing,
            wall=outcome.wall,
            ended_by=ended_by,
            unmet_labels=outcome.unmet_labels,
        )

    # ---- resolve

    def _resolve(self) -> list[FileSet]:
        """Return the file sets to read; empty if all were already read to their end, for every pull or this subset."""
        file_sets = self.request.file_sets(self.source, self.access)
        unread = [file_set for file_set in file_sets if not self._is_exhausted(file_set)]
        if unread and self.subset.is_draw:
            # A draw is taken from all file sets, including those that another pull has read to their end.
            self.access.whole = self.source.hub is None and not all(each.seekable for each in file_sets)
            return file_sets
        return unread

    def _is_exhausted(self, file_set: FileSet) -> bool:
        if self.options.clips.retry:
            return False
        return self.stored.history.is_exhausted(file_set, key=self.subset.key(), only_key=self.subset.has_spans)

    def _promises(self, run: Run) -> Promises:
        from .promises import Promises

        by_id, stored = bool(self.subset.ids), lambda: run.account.kept
        return Promises(self.card, self.source, by_id=by_id, stored=stored, notice=self.access.notice)

    # ---- open, read, promise, filter, fetch, ingest

    def _take_stream(
        self, reader: CandidateReader, promises: Promises, file_sets: list[FileSet], run: Run, outcome: Outcome
    ) -> None:
        """Read and filter in the source's own order."""
        from ...converters.ingest.ingest import Ingest
        from ..subset.filter import Filter

        filters = Filter(self.subset, self.card.name, reader.defaults)
        is_filtered = self.subset.is_filter or self.subset.max_tries is not None
        ingest = Ingest(self.store, run, self._ingest_options())
        with pipeline(
            reader.read(file_sets, chosen=filters.may_pass, settles=not self.subset.needs_fields),
            promises.watch,
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
        outcome.ended_by = "" if ingest.reached else filters.ended_by
        outcome.unmet_labels = filters.unmet_labels() if filters.ended else []
        self._notice_unmet_labels(outcome)

    # ---- open, read, draw, fetch, ingest

    def _take_draw(
        self, reader: CandidateReader, promises: Promises, file_sets: list[FileSet], run: Run, outcome: Outcome
    ) -> None:
        """Read the drawn candidates, and replacements for those that fail, in passes over the source."""
        from ...converters.ingest.ingest import Ingest
        from .draw import SourceDraw

        draw = SourceDraw(reader, promises, file_sets, self.subset, self.stored)
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
        outcome.unmet_labels = draw.unmet_labels
        self._notice_unmet_labels(outcome)
        outcome.ended_by = "" if draw.reached or draw.has_all or self.subset.max_tries is None else "--max-tries"

    def _ingest_options(self) -> IngestOptions:
        from ...converters.ingest.options import IngestOptions

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

    # ---- record and notices

    @contextmanager
    def _recorded(self, run: Run, outcome: Outcome, file_sets: list[FileSet]) -> Iterator[None]:
        """Write the row of the run even after an error, if there is anything to account for."""
        status = "incomplete"
        try:
            yield
            status = check_outcome(self.request, self.source, run, outcome, self.access, before=self.before)
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
        """Return the result if every file set was already read to its end, for every pull or this subset."""
        latest = self.stored.history.latest(self.request.goal()) if self.request.is_chosen else None
        held = latest.held if latest else self.before
        reached = self.options.samples is not None and held >= self.options.samples
        result = PullResult(self.card.name, None, held, Account(), notices=self.access.notices, reached=reached)
        if latest is None:
            return result
        return replace(result, missing=latest.missing, unmet_labels=[*latest.unmet_labels])

    def _notice_unmet_labels(self, outcome: Outcome) -> None:
        for label in outcome.unmet_labels:
            self.access.notice(f"--labels: no candidate has the label {label}")

    def _notice_few_speakers(self) -> None:
        """Warn about few speakers: most corpora are ordered by speaker, so the first samples often have one or two."""
        speakers, count = self.request.held_speakers(self.stored), self.request.held(self.stored)
        has_more = self.card.scale.speakers is None or self.card.scale.speakers > (speakers or 0)
        if speakers and has_more and count >= SAMPLES_OF_ONE * speakers:
            whose = "1 speaker" if speakers == 1 else f"{speakers} speakers"
            self.access.notice(f"{count:,} samples of {whose}; for more speakers: --by hash or --balance speaker")


__all__ = ["PullOptions", "PullResult", "check_request", "pull"]
