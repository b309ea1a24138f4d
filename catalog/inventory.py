"""`catalog list` and `catalog show`: the cards, with the number of stored samples."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from ..errors import UsageError
from ..options import Option, Options

if TYPE_CHECKING:
    from .cost import Estimate
    from .schema.card import Card

CHOICE = "Which cards"


@dataclass(frozen=True, kw_only=True)
class ListOptions(Options):
    """Filters of `catalog list`."""

    panel: Annotated[
        str | None, Option("S1 (audio), S2 (video) or S3 (both).", CHOICE, flags=("--panel", "--group"))
    ] = None
    modality: Annotated[str | None, Option("audio, video or mixed.", CHOICE)] = None
    task: Annotated[str | None, Option("asr, captioning, qa ...", CHOICE)] = None
    language: Annotated[str | None, Option("en, zh ...", CHOICE)] = None
    license: Annotated[
        str | None, Option("Whole words of the licence name: cc-by.", CHOICE, flags=("--license", "--licence"))
    ] = None
    gated: Annotated[
        bool | None, Option("Only gated datasets, or only open ones.", CHOICE, flags=("--gated/--open",))
    ] = None
    cards: Annotated[
        tuple[Path, ...], Option("A folder of your own cards; they take precedence.", CHOICE, metavar="DIR")
    ] = ()

    def check(self) -> None:
        from ..shards.sample import MODALITIES, PANELS
        from ..shards.vocabulary import UnknownWordError, as_language

        if self.panel is not None:
            _check_known("--panel", self.panel.upper(), PANELS)
        if self.modality is not None:
            _check_known("--modality", self.modality.lower(), MODALITIES)
        try:
            if self.language is not None:
                as_language(self.language)
        except UnknownWordError as error:
            raise UsageError(f"--language {self.language!r}: expected {error.expected}.", hint=error.hint) from None

    def accepts(self, card: Card) -> bool:
        """Whether a card matches all filters."""
        from ..shards.vocabulary import as_language

        return (
            (self.panel is None or card.panel == self.panel.upper())
            and (self.modality is None or card.modality == self.modality.lower())
            and (self.task is None or _task(self.task) in card.tasks)
            and (self.language is None or card.speaks(as_language(self.language)))
            and (self.license is None or _has_words(card.license, self.license))
            and (self.gated is None or card.is_gated == self.gated)
        )


def _check_known(flag: str, value: str, known: Sequence[str]) -> None:
    if value not in known:
        near = difflib.get_close_matches(value, known, n=1)
        hint = f"did you mean {near[0]}?" if near else None
        raise UsageError(f"{flag} {value!r}: the catalog has {', '.join(known)}.", hint=hint)


def _task(given: str) -> str:
    """The name of a task; an unknown one as it is, for the message that lists those of the catalog."""
    from ..shards.vocabulary import UnknownWordError, as_task

    try:
        return as_task(given)
    except UnknownWordError:
        return given


def _has_words(text: str, words: str) -> bool:
    """Whether a text has these whole words: `mit` is not in `permitted`, `cc-by` is in `CC-BY-4.0`."""
    return re.search(rf"(?<![^\W_]){re.escape(words.strip())}(?![^\W_])", text, re.IGNORECASE) is not None


@dataclass(frozen=True, slots=True)
class ListedCard:
    """A card and its number of stored samples."""

    card: Card
    stored: int

    @property
    def name(self) -> str:
        return self.card.name

    def __repr__(self) -> str:
        tasks = ",".join(self.card.tasks)
        return f"<card {self.name}: {self.card.panel} {tasks}, {self.stored:,} stored>"

    def document(self) -> dict[str, Any]:
        """Return the fields as a JSON-compatible dict."""
        return self.card.model_dump(mode="json") | {"gated": self.card.is_gated, "stored": self.stored}


@dataclass(frozen=True, slots=True)
class ShownCard:
    """One card, its number of stored samples, and the estimated cost of a pull.

    Attributes:
        configs: The configurations that the costs are for.
        costs: The cost of `all`, and of a `pull` of the requested number of samples.
        alive: Availability of the clips at the last attempt, by reason; None if no clip has failed so far.
        mirrored: For each source, how many of the files that it names a mirror has, and how many it names; None for a
            source without files. Empty if no mirror was given.
    """

    card: Card
    stored: int
    configs: tuple[str, ...]
    costs: dict[str, Estimate]
    alive: dict[str, Any] | None
    mirrored: tuple[tuple[int, int] | None, ...] = ()

    def __repr__(self) -> str:
        return f"<card {self.card.name}: {self.card.title}, {self.stored:,} stored>"

    def document(self) -> dict[str, Any]:
        """Return the fields as a JSON-compatible dict."""
        from .schema.facts import places_of_facts

        return self.card.model_dump(mode="json") | {
            "gated": self.card.is_gated, "stored": self.stored, "estimate": self.costs, "alive": self.alive,
            "facts": places_of_facts(self.card),
        } | ({"mirrored": self.mirrored} if self.mirrored else {})  # fmt: skip


def list_cards(options: ListOptions, *, store: Path | str | None = None) -> list[ListedCard]:
    """Return the cards that match the options; the store does not have to exist.

    Raises:
        UsageError: No card has that task.
    """
    from .registry import all_cards

    cards = all_cards(extra=options.cards)
    if options.task is not None:
        _check_known("--task", _task(options.task), sorted({task for card in cards for task in card.tasks}))
    held = held_by_dataset(store)
    return [ListedCard(card, held.get(card.name, 0)) for card in cards if options.accepts(card)]


def show_card(
    name: str,
    *,
    samples: int = 1000,
    configs: tuple[str, ...] = (),
    cards: tuple[Path, ...] = (),
    store: Path | str | None = None,
    mirror: Path | str | None = None,
) -> ShownCard:
    """Return one card, the estimated cost of pulling `samples` samples, and what a mirror has of its files.

    Raises:
        UsageError: There is no such card, configuration or mirror.
        NetworkError: The mirror cannot be reached.
    """
    from .cost import estimate
    from .registry import get_card

    card = get_card(name, extra=cards)
    if configs:
        card.chosen_configs(configs)
    chosen = configs or tuple(each for each, config in card.configs.items() if config.default)
    costs = {"all": estimate(card, configs=chosen), "pull": estimate(card, samples=samples, configs=chosen)}
    mirrored = () if mirror is None else _mirrored(card, chosen, mirror)
    return ShownCard(card, held_by_dataset(store).get(name, 0), chosen, costs, _alive(name, store), mirrored)


def _mirrored(card: Card, configs: tuple[str, ...], where: Path | str) -> tuple[tuple[int, int] | None, ...]:
    from .files.mirror import WILD, Mirror
    from .schema.files import groups

    mirror = Mirror.open(where)
    found: list[tuple[int, int] | None] = []
    for source in card.sources:
        if source.named_files is None:
            found.append(None)
            continue
        opened = [file for group in groups(source.named_files, list(card.splits), configs) for file in group.files]
        paths = list(dict.fromkeys(path for file in opened for path in file.paths))
        revisions = dict.fromkeys((source.revision or mirror.revisions.get(source.hub or "", "main"), "main"))
        place = f"https://huggingface.co/datasets/{source.hub}/resolve/" if source.hub is not None else ""
        has = 0
        for path in paths:
            urls = [f"{place}{revision}/{path}" for revision in revisions] if place else [path]
            has += any(mirror.glob(url) if WILD.search(url) else mirror.has(url) for url in urls)
        found.append((has, len(paths)))
    return tuple(found)


def held_by_dataset(store: Path | str | None) -> dict[str, int]:
    """Return the number of stored samples by dataset; empty if there is no store."""
    from ..shards.query import connect
    from ..shards.store.store import Store, resolve

    root = resolve(store)
    if not (root / "samples" / "_delta_log").is_dir():
        return {}
    with connect(Store(root), named_in="samples_as_pulled") as connection:
        rows = connection.execute("SELECT dataset, count(*) FROM samples_as_pulled GROUP BY 1").fetchall()
    return {str(name): int(count) for name, count in rows}


def _alive(name: str, store: Path | str | None) -> dict[str, Any] | None:
    from ..shards.store.store import Store, resolve

    root = resolve(store)
    if not (root / "samples" / "_delta_log").is_dir():
        return None
    from .sources.clips.availability import alive

    found = alive(Store(root), name)
    if not found.failed:
        return None
    return {"stored": found.stored, "gone": found.gone, "share": found.share, "failed": found.failed,
            "asked_at": found.asked_at}  # fmt: skip
