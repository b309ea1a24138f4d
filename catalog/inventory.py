"""The cards of the catalog with what the store holds of them: `catalog list` and `catalog show`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from ..options import Option, Options

if TYPE_CHECKING:
    from .cost import Estimate
    from .schema.card import Card

CHOICE = "Which cards"


@dataclass(frozen=True, kw_only=True)
class ListOptions(Options):
    """Which cards are listed."""

    panel: Annotated[
        str | None, Option("S1 (audio), S2 (video) or S3 (both).", CHOICE, flags=("--panel", "--group"))
    ] = None
    modality: Annotated[str | None, Option("audio, video or mixed.", CHOICE)] = None
    task: Annotated[str | None, Option("asr, captioning, qa ...", CHOICE)] = None
    language: Annotated[str | None, Option("en, zh ...", CHOICE)] = None
    license: Annotated[str | None, Option("Part of its name: cc-by.", CHOICE, flags=("--license", "--licence"))] = None
    gated: Annotated[bool | None, Option("Behind a form, or free to pull.", CHOICE, flags=("--gated/--open",))] = None
    cards: Annotated[
        tuple[Path, ...], Option("A folder of your own cards; they go before the others.", CHOICE, metavar="DIR")
    ] = ()

    def accepts(self, card: Card) -> bool:
        """Whether a card is one of these."""
        return (
            (self.panel is None or card.panel == self.panel.upper())
            and (self.modality is None or card.modality == self.modality)
            and (self.task is None or self.task in card.tasks)
            and (self.language is None or card.speaks(self.language))
            and (self.license is None or self.license.lower() in card.license.lower())
            and (self.gated is None or card.is_gated == self.gated)
        )


@dataclass(frozen=True, slots=True)
class ListedCard:
    """A card, and how many of its samples the store holds."""

    card: Card
    stored: int

    @property
    def name(self) -> str:
        return self.card.name

    def __repr__(self) -> str:
        tasks = ",".join(self.card.tasks)
        return f"<card {self.name}: {self.card.panel} {tasks}, {self.stored:,} stored>"

    def document(self) -> dict[str, Any]:
        """All of it as plain values."""
        return self.card.model_dump(mode="json") | {"gated": self.card.is_gated, "stored": self.stored}


@dataclass(frozen=True, slots=True)
class ShownCard:
    """One card, what the store holds of it, and what a pull would cost.

    Attributes:
        configs: The configurations that the costs are of.
        costs: Of `all`, and of a `pull` of the number asked for.
        alive: How much could still be had when it was asked for, by reason; None where nobody asked yet.
    """

    card: Card
    stored: int
    configs: tuple[str, ...]
    costs: dict[str, Estimate]
    alive: dict[str, Any] | None

    def __repr__(self) -> str:
        return f"<card {self.card.name}: {self.card.title}, {self.stored:,} stored>"

    def document(self) -> dict[str, Any]:
        """All of it as plain values."""
        return self.card.model_dump(mode="json") | {
            "gated": self.card.is_gated, "stored": self.stored, "estimate": self.costs, "alive": self.alive
        }  # fmt: skip


def list_cards(options: ListOptions, *, store: Path | str | None = None) -> list[ListedCard]:
    """The cards that the options accept; a store need not be there."""
    from .registry import all_cards

    held = held_by_dataset(store)
    return [
        ListedCard(card, held.get(card.name, 0)) for card in all_cards(extra=options.cards) if options.accepts(card)
    ]


def show_card(
    name: str,
    *,
    samples: int = 1000,
    configs: tuple[str, ...] = (),
    cards: tuple[Path, ...] = (),
    store: Path | str | None = None,
) -> ShownCard:
    """One card, and what a pull of so many samples would cost.

    Raises:
        UsageError: There is no such card or configuration.
    """
    from .cost import estimate
    from .registry import get_card

    card = get_card(name, extra=cards)
    if configs:
        card.chosen_configs(configs)
    of = configs or tuple(each for each, config in card.configs.items() if config.default)
    costs = {"all": estimate(card, configs=of), "pull": estimate(card, samples=samples, configs=of)}
    return ShownCard(card, held_by_dataset(store).get(name, 0), of, costs, _alive(name, store))


def held_by_dataset(store: Path | str | None) -> dict[str, int]:
    """Samples by dataset in the store, where there is one."""
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
