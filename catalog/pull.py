"""`catalog pull`: from a card's name to samples in the store.

Splits are taken in the card's order until the number asked for is stored. The first source that can be reached is
used and then kept; a unit that was read to its end before is not opened again, so a repeated pull fetches nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

from ..converters.ingest import Ingest, IngestOptions
from ..converters.raw import Candidate, Checkpoint, ReadContext, Rejection
from ..converters.readers import get_reader
from ..errors import GateError, NetworkError, UsageError
from ..shards.events import Account, Run
from ..shards.query import connect, first_row
from ..shards.store import Store, quote, resolve
from .card import SOURCE_KINDS, Card, SourceCard
from .history import History, read_history
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


@dataclass(slots=True)
class PlannedUnit:
    """One line of a dry run."""

    place: str
    splits: tuple[str, ...]
    bytes: int | None
    local: bool
    note: str


@dataclass(slots=True)
class PullPlan:
    """What a pull would do."""

    dataset: str
    source: str
    stored: int
    wanted: int | None
    units: list[PlannedUnit]
    notes: list[str]


@dataclass(frozen=True, slots=True)
class PullOptions:
    """Options of a pull; see `pull`."""

    samples: int | None = None
    splits: tuple[str, ...] = ()
    source: str | None = None
    from_path: Path | None = None
    mirror: str | None = None
    link: bool = False
    keep_raw: bool = False
    cards: tuple[Path, ...] = ()
    on_samples: Callable[[int, int], None] | None = None
    on_bytes: Callable[[int, int | None], None] | None = None


def pull(name: str, *, store: Store, options: PullOptions | None = None) -> PullResult:
    """Pull a dataset of the catalog into the store.

    Raises:
        UsageError: No such card, split or source.
        GateError: The data is behind a form or login; nothing was done.
        NetworkError: No source could be reached, or one was lost midway (what came is stored).
        DamagedError: A checksum does not agree. Of a file read whole nothing was stored; rows of a prefix that were
            stored before the sum could be known say so in their revision.
    """
    options = options or PullOptions()
    card = get_card(name, extra=options.cards)
    splits = _splits(card, options.splits)
    history = read_history(store, card.name)
    held = _held(store, card.name, splits if options.splits else None)
    if options.samples is not None and held >= options.samples:
        return PullResult(card.name, None, held, Account())
    store.media.sweep_scratch()
    with Fetcher(tokens=_tokens(card, options)) as fetcher:
        access = Access(
            fetcher,
            store.root / "partial",
            _mirror(options.mirror, fetcher),
            whole=options.samples is None,
            asked=bool(options.splits),
            progress=options.on_bytes,
        )
        return _from_first_source(_Pull(store, card, splits, options, access, history, held))


def check_request(name: str, options: PullOptions) -> None:
    """Raises UsageError where the card, a split or the source does not exist: before a store is made for it."""
    card = get_card(name, extra=options.cards)
    _splits(card, options.splits)
    _sources(card, options, History())
    if options.from_path is not None and not options.from_path.expanduser().exists():
        raise UsageError(f"--from {options.from_path}: there is no such file or folder.")


def plan(name: str, *, store_path: Path | str | None = None, options: PullOptions | None = None) -> PullPlan:
    """What `pull` would read, without storing anything; hosts are asked for listings and sizes only."""
    options = options or PullOptions()
    card = get_card(name, extra=options.cards)
    splits = _splits(card, options.splits)
    root = resolve(store_path)
    store = Store(root) if (root / "samples" / "_delta_log").is_dir() else None
    history = read_history(store, card.name) if store else History()
    held = _held(store, card.name, splits if options.splits else None) if store else 0
    with Fetcher(tokens=_tokens(card, options)) as fetcher:
        access = Access(fetcher, root / "partial", _mirror(options.mirror, fetcher), asked=bool(options.splits))
        source, units = _first_units(card, splits, options, history, access)
        planned = [_planned(unit, history, fetcher) for unit in units]
    notes = list(access.notices)
    if options.samples is not None and source.kind == "archive":
        notes.append("an archive is read as a stream and left once the number is reached")
    return PullPlan(card.name, source.kind, held, options.samples, planned, notes)


def _first_units(
    card: Card, splits: tuple[str, ...], options: PullOptions, history: History, access: Access
) -> tuple[SourceCard, list[Unit]]:
    """The first source that can be reached, and what it holds of the splits."""
    sources = _sources(card, options, history)
    for source, following in pairwise(sources):
        try:
            return source, _units(card, source, splits, options, access)
        except GateError:
            raise
        except NetworkError as error:
            access.notice(_fallback(source, error, following))
    return sources[-1], _units(card, sources[-1], splits, options, access)


def _fallback(source: SourceCard, error: NetworkError, following: SourceCard) -> str:
    return f"{source.kind} {source.place}: {error.message} Trying {following.kind} instead."


def _planned(unit: Unit, history: History, fetcher: Fetcher) -> PlannedUnit:
    size = unit.bytes
    if size is None and unit.place.startswith("https://"):
        size = fetcher.head(unit.place).size
    note = "read to its end before: nothing to do" if history.is_exhausted(unit) else ""
    return PlannedUnit(unit.place, unit.splits, size, unit.local, note)


class _Pull:
    """One pull of one dataset."""

    def __init__(
        self,
        store: Store,
        card: Card,
        splits: tuple[str, ...],
        options: PullOptions,
        access: Access,
        history: History,
        held: int,
    ) -> None:
        self.store = store
        self.card = card
        self.splits = splits
        self.options = options
        self.access = access
        self.history = history
        self.held = held

    def read(self, source: SourceCard) -> PullResult:
        """Read the units of one source that are not exhausted yet."""
        units = _units(self.card, source, self.splits, self.options, self.access)
        open_units = [unit for unit in units if not self.history.is_exhausted(unit)]
        if not open_units:
            return PullResult(self.card.name, None, self.held, Account(), notices=self.access.notices)
        open_units[0].prepare()
        run = self._run(source)
        ended: list[Unit] = []
        ingest = Ingest(self.store, run, self._ingest_options())
        status = "incomplete"
        candidates = self._candidates(source, open_units, run, ended)
        try:
            ingest.take(candidates)
            if self.options.from_path is not None and not run.account.candidates:
                raise self._nothing_there(source)
            status = "ok" if not run.details.get("damaged") else "damaged"
        finally:
            candidates.close()
            run.details["exhausted"] = {split: unit.fingerprint for unit in ended for split in unit.splits}
            if status == "ok" or run.account.candidates:
                run.finish(self.store, status=status)
        if not self.options.keep_raw:
            for unit in ended:
                unit.spent()
        return PullResult(
            self.card.name,
            source.kind,
            _held(self.store, self.card.name, self.splits if self.options.splits else None),
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
        layout = source.reader_options.get("media")
        expected = f"files like {layout}" if layout else f"what the reader {source.reader_name!r} reads"
        return UsageError(
            f"--from {self.options.from_path}: nothing there is of {self.card.name} "
            f"({', '.join(self.splits)}): expected {expected}.",
            hint="give the archive as it was downloaded, or the folder it was unpacked into",
        )

    def _ingest_options(self) -> IngestOptions:
        return IngestOptions(
            defaults=self.card.defaults(),
            limit=self.options.samples,
            held=self.held,
            link=self.options.link,
            progress=self.options.on_samples,
        )

    def _candidates(
        self, source: SourceCard, units: list[Unit], run: Run, ended: list[Unit]
    ) -> Generator[Candidate | Rejection | Checkpoint, None, None]:
        reader = get_reader(source.reader_name)
        asked_all = not self.options.splits
        context = ReadContext(
            self.card.name,
            source.reader_options | {"_whole_corpus": asked_all},
            wants=lambda split: split in self.splits if split in self.card.splits else asked_all,
            settled=lambda ids, revision: _settled(self.store, self.card.name, ids, revision),
        )
        for unit in units:
            damaged = False
            for item in reader(unit.files(), context):
                damaged |= isinstance(item, Rejection) and item.damaged
                yield item
            yield Checkpoint()
            if not damaged:
                ended.append(unit)


def _from_first_source(pull: _Pull) -> PullResult:
    """Try the sources in order; the next one only where one cannot be reached at all."""
    sources = _sources(pull.card, pull.options, pull.history)
    for position, source in enumerate(sources):
        before = _held(pull.store, pull.card.name, None)
        try:
            return pull.read(source)
        except GateError:
            raise
        except NetworkError as error:
            if position + 1 == len(sources) or _held(pull.store, pull.card.name, None) != before:
                raise
            following = sources[position + 1]
            pull.access.notice(_fallback(source, error, following))
    raise UsageError(f"the card {pull.card.name} has no source to try.")


def _sources(card: Card, options: PullOptions, history: History) -> list[SourceCard]:
    """The sources to try: the one asked for, or the one that gave the stored rows, or all in the card's order."""
    if options.source is not None:
        chosen = [source for source in card.sources if source.kind == options.source]
        if not chosen:
            kinds = ", ".join(source.kind for source in card.sources)
            known = "" if options.source in SOURCE_KINDS else f" (kinds: {', '.join(SOURCE_KINDS)})"
            raise UsageError(f"{card.name} has no source {options.source!r}{known}; it has {kinds}.")
        return chosen
    if options.from_path is not None:
        archives = [source for source in card.sources if source.kind == "archive"]
        return archives[:1] or card.sources[:1]
    sticky = [source for source in card.sources if source.kind == history.source]
    return sticky or card.sources


def _units(card: Card, source: SourceCard, splits: tuple[str, ...], options: PullOptions, access: Access) -> list[Unit]:
    if options.from_path is not None:
        return [unit_from(options.from_path, source, splits, access)]
    if options.mirror is None:
        _check_gate(card, source)
    return units_of(source, card, splits, access)


def _check_gate(card: Card, source: SourceCard) -> None:
    """Raises GateError where the data is behind a form and no token is here that could have passed it."""
    if card.gate is None:
        return
    said = f"{card.name} is gated: {card.gate.accept}"
    if source.kind != "hub":
        raise GateError(said, hint=f"at {card.gate.where}; then pull what you got with --from PATH")
    from .sources.hub import hub_tokens

    if not hub_tokens():
        raise GateError(said, hint=f"at {card.gate.where}; then: hf auth login, or set {card.gate.token or 'HF_TOKEN'}")


def _splits(card: Card, asked: Sequence[str]) -> tuple[str, ...]:
    """The card's splits that were asked for by name or role, in the card's order; all of them without a wish."""
    for split in asked:
        if split not in card.splits and split not in card.splits.values():
            raise UsageError(
                f"{card.name} has no split {split!r}. Splits: {', '.join(card.splits)}; "
                f"roles: {', '.join(dict.fromkeys(card.splits.values()))}."
            )
    chosen = [name for name, role in card.splits.items() if not asked or name in asked or role in asked]
    return tuple(chosen)


def _held(store: Store, dataset: str, splits: Sequence[str] | None) -> int:
    """Samples of the dataset (and splits) that the store holds."""
    where = f"dataset = {quote(dataset)}"
    if splits is not None:
        where += f" AND split IN ({', '.join(map(quote, splits))})"
    with connect(store, named_in="samples_as_pulled") as connection:
        row = first_row(connection, f"SELECT count(*) FROM samples_as_pulled WHERE {where}")
    return int(row[0]) if row else 0


def _settled(store: Store, dataset: str, ids: list[str], revision: str) -> bool:
    """Whether the store holds every one of these ids at this revision."""
    with connect(store, named_in="samples_as_pulled") as connection:
        row = first_row(
            connection,
            "SELECT count(*) FROM samples_as_pulled WHERE dataset = $1 AND revision = $2 AND list_contains($3, id)",
            [dataset, revision, ids],
        )
    return bool(row and row[0] == len(set(ids)))


def _mirror(where: str | None, fetcher: Fetcher) -> Mirror | None:
    return Mirror.open(where, fetcher=fetcher) if where else None


def _tokens(card: Card, options: PullOptions) -> dict[str, str]:
    if options.mirror or options.from_path or all(source.kind != "hub" for source in card.sources):
        return {}
    from .sources.hub import hub_tokens

    return hub_tokens()


__all__ = ["PullOptions", "PullPlan", "PullResult", "check_request", "plan", "pull"]
