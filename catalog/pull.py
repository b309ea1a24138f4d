"""`catalog pull`: from a card's name to samples in the store.

Configurations and splits are taken in the card's order until the number asked for is stored. The first source that can
be reached is used and then kept; a unit that was read to its end before is not opened again, so a repeated pull fetches
nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from pathlib import Path

from ..converters.ingest import Ingest, IngestOptions
from ..converters.raw import Candidate, Checkpoint, ReadContext, Rejection
from ..converters.readers import get_reader
from ..errors import GateError, NetworkError, UsageError
from ..shards.events import Account, Run
from ..shards.store import Store
from .card import Card, SourceCard
from .choosing import check_gate, fallback_notice, sources_to_try
from .history import History, part_key, read_history
from .holdings import held, settled
from .mirror import Mirror
from .registry import get_card
from .sources.http import Fetcher
from .units import Access, Unit, unit_from, units_of


@dataclass(slots=True)
class PullResult:
    """What a pull of one dataset did.

    Attributes:
        source: The kind of source that was used; None where nothing was left to do.
        stored: Samples of the selection that the store holds now.
        account: Where this run's candidates went.
        damaged: Faults of whole files (truncated archives); the good rows before them are stored.
        complete: The number asked for is reached, or every unit was read to its end.
        reached: The number asked for is reached.
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


@dataclass(frozen=True, slots=True)
class PullOptions:
    """Options of a pull; see `api.pull`."""

    samples: int | None = None
    splits: tuple[str, ...] = ()
    configs: tuple[str, ...] = ()
    source: str | None = None
    from_path: Path | None = None
    as_config: str | None = None
    mirror: str | None = None
    link: bool = False
    keep_raw: bool = False
    cards: tuple[Path, ...] = ()
    on_samples: Callable[[int, int], None] | None = None
    on_bytes: Callable[[int, int | None], None] | None = None


@dataclass(frozen=True, slots=True)
class Wanted:
    """What of a dataset a pull is for: its card, and the splits and configurations by their own names."""

    card: Card
    splits: tuple[str, ...]
    configs: tuple[str, ...]
    options: PullOptions

    @classmethod
    def of(cls, name: str, options: PullOptions) -> Wanted:
        """Raises UsageError where the card, a split, a configuration or the source does not exist."""
        card = get_card(name, extra=options.cards)
        configs = () if options.as_config else card.chosen_configs(options.configs)
        wanted = cls(card, card.chosen_splits(options.splits), configs, options)
        wanted.sources(History())
        return wanted

    def sources(self, history: History) -> list[SourceCard]:
        return sources_to_try(self.card, asked=self.options.source, from_path=self.options.from_path, history=history)

    def held(self, store: Store) -> int:
        """Samples of the selection that the store holds."""
        configs = (self.options.as_config,) if self.options.as_config else self.configs
        return held(store, self.card.name, splits=self.splits if self.options.splits else (), configs=configs)

    def units(self, source: SourceCard, access: Access) -> list[Unit]:
        """What a source holds of it; the gate before a source is looked at first."""
        if self.options.from_path is not None:
            return [unit_from(self.options.from_path, source, self.splits, self.configs, access)]
        if self.options.mirror is None:
            check_gate(self.card, source)
        return units_of(source, self.card, self.splits, self.configs, access)


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
    wanted = Wanted.of(name, options)
    history = read_history(store, wanted.card.name)
    before = wanted.held(store)
    if options.samples is not None and before >= options.samples:
        return PullResult(wanted.card.name, None, before, Account())
    store.media.sweep_scratch()
    with Fetcher(tokens=tokens_for(wanted)) as fetcher:
        access = open_access(wanted, store.root / "partial", fetcher, history)
        return _from_first_source(_Pull(store, wanted, access, history, before))


def check_request(name: str, options: PullOptions) -> None:
    """Raises UsageError where nothing could come of a pull: before a store is made for it."""
    Wanted.of(name, options)
    if options.from_path is not None and not options.from_path.expanduser().exists():
        raise UsageError(f"--from {options.from_path}: there is no such file or folder.")
    if options.as_config is not None and options.from_path is None:
        raise UsageError("--as names the release that --from reads.", hint="--from PATH --as NAME")


def open_access(wanted: Wanted, partial: Path, fetcher: Fetcher, history: History) -> Access:
    """How this pull reaches hosts, mirrors and downloads."""
    options = wanted.options
    return Access(
        fetcher,
        partial,
        Mirror.open(options.mirror, fetcher=fetcher) if options.mirror else None,
        whole=options.samples is None,
        asked=bool(options.splits),
        revisions=dict(history.revisions),
        progress=options.on_bytes,
    )


def tokens_for(wanted: Wanted) -> dict[str, str]:
    """The hub's token by host, where the hub may be asked at all."""
    options = wanted.options
    if options.mirror or options.from_path or all(source.kind != "hub" for source in wanted.card.sources):
        return {}
    from .sources.hub import hub_tokens

    return hub_tokens()


class _Pull:
    """One pull of one dataset."""

    def __init__(self, store: Store, wanted: Wanted, access: Access, history: History, before: int) -> None:
        self.store = store
        self.wanted = wanted
        self.card = wanted.card
        self.options = wanted.options
        self.access = access
        self.history = history
        self.before = before

    def read(self, source: SourceCard) -> PullResult:
        """Read the units of one source that are not exhausted yet."""
        units = self.wanted.units(source, self.access)
        open_units = [unit for unit in units if not self.history.is_exhausted(unit)]
        if not open_units:
            return PullResult(self.card.name, None, self.before, Account(), notices=self.access.notices)
        open_units[0].prepare()
        run = self._run(source)
        ended: list[Unit] = []
        ingest = Ingest(self.store, run, self._ingest_options())
        status = "incomplete"
        candidates = self._candidates(source, open_units, ended)
        try:
            ingest.take(candidates)
            if self.options.from_path is not None and not run.account.candidates:
                raise self._nothing_there(source)
            status = "ok" if not run.details.get("damaged") else "damaged"
        finally:
            candidates.close()
            run.details["exhausted"] = {
                part_key(unit.config, split): unit.fingerprint for unit in ended for split in unit.splits
            }
            run.details["revisions"] = self.access.revisions
            if status == "ok" or run.account.candidates:
                run.finish(self.store, status=status)
        if not self.options.keep_raw:
            for unit in ended:
                unit.spent()
        return PullResult(
            self.card.name,
            source.kind,
            self.wanted.held(self.store),
            run.account,
            run.run_id,
            run.details.get("damaged", []),
            self.access.notices,
            complete=ingest.reached or len(ended) == len(open_units),
            reached=ingest.reached,
        )

    def _run(self, source: SourceCard) -> Run:
        asked = {
            "samples": self.options.samples,
            "splits": list(self.options.splits),
            "configs": list(self.options.configs),
            "mirror": self.options.mirror,
            "from": str(self.options.from_path) if self.options.from_path else None,
            "link": self.options.link,
        }
        run = Run("pull", self.card.name, f"catalog pull {self.card.name}", asked)
        run.details = {
            "source": source.kind,
            "place": source.place,
            "corpus": {"roles": dict(self.card.splits), "case": self.card.case},
        }
        return run

    def _nothing_there(self, source: SourceCard) -> UsageError:
        layout = self.card.layout or source.reader_options.get("media")
        expected = f"files like {layout}" if layout else f"what the reader {source.reader_name!r} reads"
        return UsageError(
            f"--from {self.options.from_path}: nothing there is of {self.card.name} "
            f"({', '.join(self.wanted.splits)}): expected {expected}.",
            hint="give the archive as it was downloaded, or the folder it was unpacked into",
        )

    def _ingest_options(self) -> IngestOptions:
        return IngestOptions(
            defaults=self.card.defaults(),
            limit=self.options.samples,
            held=self.before,
            link=self.options.link,
            progress=self.options.on_samples,
        )

    def _candidates(
        self, source: SourceCard, units: list[Unit], ended: list[Unit]
    ) -> Generator[Candidate | Rejection | Checkpoint, None, None]:
        reader = get_reader(source.reader_name)
        context = self._context(source)
        for unit in units:
            damaged = False
            for item in reader(unit.files(lambda name: context.accepts(name)), context):
                if isinstance(item, Rejection):
                    damaged |= item.damaged
                elif not item.settled:
                    self._complete(item)
                yield item
            yield Checkpoint()
            if not damaged:
                ended.append(unit)

    def _context(self, source: SourceCard) -> ReadContext:
        asked_all = not self.options.splits
        remote = source.is_remote and self.options.from_path is None
        splits, known, configs = self.wanted.splits, self.card.splits, self.wanted.configs
        return ReadContext(
            self.card.name,
            source.reader_options | {"_whole_corpus": asked_all, "_remote": remote},
            wants=lambda split: split in splits if split in known else asked_all,
            settled=lambda ids, revision: settled(self.store, self.card.name, ids, revision),
            chosen=lambda source_id, config, split: not configs or config is None or config in configs,
            config=self.options.as_config,
            spool=self.access.spool,
        )

    def _complete(self, candidate: Candidate) -> None:
        """Give a candidate the release that the user named, and what its configuration says of all samples."""
        candidate.config = self.options.as_config or candidate.config
        if candidate.config in self.card.configs:
            for field_, value in self.card.defaults(candidate.config).items():
                if value is not None:
                    candidate.fields.setdefault(field_, value)


def _from_first_source(pull: _Pull) -> PullResult:
    """Try the sources in order; the next one only where one cannot be reached at all."""
    sources = pull.wanted.sources(pull.history)
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


__all__ = ["PullOptions", "PullResult", "Wanted", "check_request", "open_access", "pull", "tokens_for"]
