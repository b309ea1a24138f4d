"""`catalog pull`: from a card's name to samples in the store.

Configurations and splits are taken in the card's order until the number asked for is stored. The first source that can
be reached is used and then kept; a file set that was read to its end before is not opened again, so a repeated pull
fetches nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ...converters.candidate import Checkpoint
from ...converters.ingest.ingest import Ingest, IngestOptions
from ...errors import GateError, NetworkError, UsageError
from ...shards.events import Account, Run
from ...shards.store import Store
from ..files import Access, FileSet
from ..files.mirror import Mirror
from ..schema.source import SourceCard
from ..sources.clips.failures import REASONS, RETRYABLE, UNREACHED, WALLS
from ..sources.clips.options import require_ytdlp
from ..sources.download.http import HttpClient
from ..subset.filter import Filter
from .candidates import CandidateReader, Item
from .draw import Drawing
from .history import Goal, History, part_key, read_history
from .options import PullOptions
from .request import PullRequest
from .sources import fallback_notice
from .stored import held, held_lengths

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


def pull(name: str, *, store: Store, options: PullOptions | None = None) -> PullResult:
    """Pull a dataset of the catalog into the store.

    Raises:
        UsageError: No such card, split, configuration or source.
        GateError: The data is behind a form or login, or must be got by hand; nothing was done.
        NetworkError: No source could be reached, or one was lost midway (what came is stored).
        DamagedError: A checksum does not agree. Of a file read whole nothing was stored; rows of a prefix that were
            stored before the sum could be known say so in their revision.
    """
    options = options or PullOptions()
    request = PullRequest.of(name, options)
    history = read_history(store, request.card.name)
    before = request.held(store)
    if (done := _done(request, store, history, before)) is not None:
        return done
    store.media.sweep_scratch()
    with HttpClient(tokens=tokens_for(request)) as client:
        access = open_access(request, store.root / "partial", client, history)
        return _from_first_source(_Pull(store, request, access, history, before))


def _done(request: PullRequest, store: Store, history: History, before: int) -> PullResult | None:
    """The answer, where the store holds all that is wanted already."""
    name, goal = request.card.name, request.goal()
    met = history.met_by(goal)
    if met is not None and (met.reached or not request.options.clips.retry):
        return PullResult(name, None, met.held, Account(), missing=met.missing)
    if request.is_chosen:
        return None
    enough = goal.samples is not None and before >= goal.samples
    if enough or (goal.hours is not None and request.held_seconds(store) >= goal.hours * 3600):
        return PullResult(name, None, before, Account())
    return None


def check_request(name: str, options: PullOptions) -> None:
    """Raises UsageError where nothing could come of a pull: before a store is made for it."""
    request = PullRequest.of(name, options)
    _check_tools(request.sources(History())[0], options)


def _check_tools(source: SourceCard, options: PullOptions) -> None:
    """Raises UsageError where a source needs an optional package that is not there."""
    if source.clip_site == "youtube" and options.from_path is None:
        require_ytdlp()


def open_access(request: PullRequest, partial: Path, client: HttpClient, history: History) -> Access:
    """How this pull reaches hosts, mirrors and downloads."""
    options = request.options
    return Access(
        client,
        partial,
        Mirror.open(options.mirror, client=client) if options.mirror else None,
        whole=request.reads_all,
        asked=bool(options.splits),
        revisions=dict(history.revisions),
        progress=options.on_bytes,
    )


def tokens_for(request: PullRequest) -> dict[str, str]:
    """The hub's token by host, where the hub may be asked at all."""
    options = request.options
    if options.mirror or options.from_path or all(source.kind != "hub" for source in request.card.sources):
        return {}
    from ..sources.hub import hub_tokens

    return hub_tokens()


@dataclass(slots=True)
class _Outcome:
    """How far a source was read, and what came of it.

    Attributes:
        ended: File sets that nobody need read again for the same samples.
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


class _Pull:
    """One pull of one dataset."""

    def __init__(self, store: Store, request: PullRequest, access: Access, history: History, before: int) -> None:
        self.store = store
        self.request = request
        self.card = request.card
        self.options = request.options
        self.subset = request.options.subset
        self.access = access
        self.history = history
        self.before = before

    def read(self, source: SourceCard) -> PullResult:
        """Read the file sets of one source that are not exhausted yet."""
        _check_tools(source, self.options)
        file_sets = self.request.file_sets(source, self.access)
        open_file_sets = [file_set for file_set in file_sets if not self._is_exhausted(file_set)]
        if not open_file_sets:
            return self._nothing_left()
        if self.subset.is_draw:
            # A draw is one from all, also from what another pull has read to its end.
            open_file_sets = file_sets
            self.access.whole = source.hub is None and not all(file_set.seekable for file_set in file_sets)
        open_file_sets[0].prepare()
        run = self._run(source)
        outcome = _Outcome()
        status = "incomplete"
        try:
            self._take(source, open_file_sets, run, outcome)
            came = run.account.kept + sum(n for why, n in run.account.dropped.items() if why != "no_table")
            if self.options.from_path is not None and not came:
                raise self._nothing_there(source, run.details.get("damaged", []))
            if outcome.wall and not run.account.kept:
                raise _walled(outcome.wall, run.account)
            if not outcome.wall:
                status = "damaged" if run.details.get("damaged") else "ok"
        finally:
            if source.is_remote and RETRYABLE & run.account.dropped.keys():
                # The next run asks for these clips again, so nothing was read to its end.
                outcome.ended, outcome.done, outcome.reopened = [], outcome.reached, open_file_sets
            run.details |= self._notes(outcome, done=outcome.done and status == "ok")
            if status == "ok" or run.account.candidates:
                run.finish(self.store, status=status)
        if not self.options.keep_raw:
            for file_set in outcome.ended:
                file_set.discard()
        if outcome.reached and not self.request.is_chosen:
            self._tell_few_speakers()
        return PullResult(
            self.card.name,
            source.kind,
            self.request.held(self.store) if outcome.held is None else outcome.held,
            run.account,
            run.run_id,
            run.details.get("damaged", []),
            self.access.notices,
            complete=outcome.done,
            reached=outcome.reached,
            missing=outcome.missing,
            wall=outcome.wall,
        )

    def _nothing_left(self) -> PullResult:
        """Every file set was read to its end before, for everybody or for this choice."""
        latest = self.history.latest(self.request.goal()) if self.request.is_chosen else None
        stored, missing = (latest.held, latest.missing) if latest else (self.before, 0)
        return PullResult(self.card.name, None, stored, Account(), notices=self.access.notices, missing=missing)

    def _is_exhausted(self, file_set: FileSet) -> bool:
        if self.options.clips.retry:
            return False
        return self.history.is_exhausted(file_set, key=self.subset.key(), only_key=self.subset.has_spans)

    def _take(self, source: SourceCard, file_sets: list[FileSet], run: Run, outcome: _Outcome) -> None:
        reading = CandidateReader(self.store, self.request, source, self.access)
        if self.subset.is_draw:
            self._take_draw(reading, file_sets, run, outcome)
        else:
            self._take_stream(reading, file_sets, run, outcome)
        outcome.wall = "" if outcome.reached else reading.wall

    def _take_stream(self, reading: CandidateReader, file_sets: list[FileSet], run: Run, outcome: _Outcome) -> None:
        """In the source's own order, filtered."""
        stage = Filter(self.subset, self.card.name, reading.defaults)
        ingest = Ingest(self.store, run, self._ingest_options())
        settles = not self.subset.needs_fields
        read: list[FileSet] = []
        source = reading.candidates(file_sets, read, chosen=stage.may_pass, settles=settles)
        filters = self.subset.is_filter or self.subset.max_tries is not None
        with (
            closing(source),
            closing(stage.apply(source) if filters else source) as passed,
            closing(reading.fetched(passed, self.access.notice)) as whole,
        ):
            ingest.take(_noting_ended(whole, file_sets, read, outcome.ended))
        outcome.reached = ingest.reached
        outcome.missing = stage.missing
        outcome.final = ingest.reached or (filters and not stage.ended)
        outcome.done = outcome.final or len(outcome.ended) == len(file_sets)
        if self.subset.is_filter:
            outcome.held = ingest.tally.samples
        for label in stage.unmet_labels() if stage.ended else ():
            self.access.notice(f"--labels: nothing read here has the label {label}")

    def _take_draw(self, reading: CandidateReader, file_sets: list[FileSet], run: Run, outcome: _Outcome) -> None:
        drawing = Drawing(self.store, run, reading, file_sets, self.subset, self.access.notice)
        drawing.take(self.options.samples, replace(self._ingest_options(), limit=None, limit_seconds=None))
        whole = len(drawing.ended) == len(file_sets)
        outcome.reached, outcome.held, outcome.missing = drawing.reached, drawing.held, drawing.missing
        outcome.ended = drawing.ended if drawing.has_all else []
        outcome.done = whole
        outcome.final = whole and (drawing.reached or not drawing.has_all)

    def _notes(self, outcome: _Outcome, *, done: bool) -> dict[str, Any]:
        """What the history of the next pulls is made of."""
        ended = _parts(outcome.ended)
        notes: dict[str, Any] = {"revisions": self.access.revisions}
        if self.options.clips.retry and outcome.reopened:
            notes["reopened"] = _parts(outcome.reopened)
        if not self.request.is_chosen:
            notes["exhausted"] = ended
        if self.request.is_chosen or self.subset.has_limits:
            goal = self.request.goal()
            notes["choice"] = {
                "selection": self.subset.key(),
                "goal": {name: getattr(goal, name) for name in Goal.__slots__},
                "done": done,
                "reached": outcome.reached,
                "final": outcome.final,
                "held": self.request.held(self.store) if outcome.held is None else outcome.held,
                "missing": outcome.missing,
                "exhausted": ended if self.request.is_chosen else {},
            }
        return notes

    def _tell_few_speakers(self) -> None:
        """Corpora lie speaker by speaker: the first hundred samples are often of one or two."""
        speakers, count = self.request.held_speakers(self.store), self.request.held(self.store)
        has_more = self.card.scale.speakers is None or self.card.scale.speakers > (speakers or 0)
        if speakers and has_more and count >= SAMPLES_OF_ONE * speakers:
            whose = "1 speaker" if speakers == 1 else f"{speakers} speakers"
            self.access.notice(f"{count:,} samples of {whose}; for a mixed draw: --by hash or --balance speaker")

    def _run(self, source: SourceCard) -> Run:
        run = Run("pull", self.card.name, f"catalog pull {self.card.name}", self.options.asked())
        run.details = {
            "source": source.kind,
            "place": source.place,
            "corpus": {"roles": dict(self.card.splits), "case": self.card.case},
        }
        return run

    def _nothing_there(self, source: SourceCard, lacking: list[str]) -> UsageError:
        layout = self.card.layout or source.reader_options.get("media")
        expected = f"files like {layout}" if layout else f"what the reader {source.reader_name!r} reads"
        return UsageError(
            f"--from {self.options.from_path}: nothing there is of {self.card.name} "
            f"({', '.join(self.request.splits)}): expected {'; '.join([expected, *lacking])}.",
            hint="give the archive as it was downloaded, or the folder it was unpacked into",
        )

    def _ingest_options(self) -> IngestOptions:
        hours, chosen = self.subset.hours, self.request.is_chosen
        return IngestOptions(
            defaults=self.card.defaults(),
            limit=self.options.samples,
            limit_seconds=hours * 3600 if hours is not None else None,
            held=0 if chosen else self.before,
            held_seconds=self.request.held_seconds(self.store) if hours is not None and not chosen else 0.0,
            count_known=chosen,
            length_of=held_lengths(self.store, self.card.name) if hours is not None and chosen else lambda _: 0.0,
            link=self.options.link,
            progress=self.options.on_samples,
        )


def _noting_ended(
    items: Iterable[Item], file_sets: list[FileSet], read: list[FileSet], ended: list[FileSet]
) -> Iterator[Item]:
    """The same items; a file set has ended once it was `read` and what follows its checkpoint is asked for.

    Clips are fetched ahead, so the reader is often further than what is stored.
    """
    following = iter(file_sets)
    for item in items:
        yield item
        if isinstance(item, Checkpoint):
            file_set = next(following)
            if any(file_set is each for each in read):
                ended.append(file_set)


def _parts(file_sets: list[FileSet]) -> dict[str, str]:
    return {
        part_key(file_set.config, split): file_set.fingerprint for file_set in file_sets for split in file_set.splits
    }


def _walled(wall: str, account: Account) -> NetworkError:
    """Every host sends us away, and nothing came of it."""
    advice = {reason: REASONS[reason].then for reason in sorted((WALLS | UNREACHED) & account.dropped.keys())}
    return NetworkError(f"{wall}: nothing was stored of {account.candidates:,} tried.", hint="; ".join(advice.values()))


def _from_first_source(pull: _Pull) -> PullResult:
    """Try the sources in order; the next one only where one cannot be reached at all."""
    sources = pull.request.sources(pull.history)
    for position, source in enumerate(sources):
        before = held(pull.store, pull.card.name)
        try:
            return pull.read(source)
        except GateError:
            raise
        except NetworkError as error:
            if position + 1 == len(sources) or held(pull.store, pull.card.name) != before:
                raise
            pull.access.notice(fallback_notice(source, error, sources[position + 1]))
    raise UsageError(f"the card {pull.card.name} has no source to try.")


__all__ = ["PullResult", "check_request", "open_access", "pull", "tokens_for"]
