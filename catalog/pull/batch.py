"""Several datasets in one pull: by name, by panel or modality, or by a preset.

A panel or modality means all of its datasets that are available without a form; the others are skipped and reported
before any work starts. A preset divides its number of samples among the datasets of each panel.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import Field, ValidationError

from ...errors import GateError, TriptychError, UsageError, did_you_mean
from ...shards.strict_yaml import parse_yaml
from ..registry import all_cards, get_card
from ..schema.card import Card
from ..schema.source import CardModel, ConfigName, Name, SourceCard
from .options import PullOptions
from .sources import check_gate

if TYPE_CHECKING:
    from .pull import PullResult


@dataclass(frozen=True, slots=True)
class PullItem:
    """One dataset to pull, and how much of it."""

    name: str
    samples: int | None
    splits: tuple[str, ...] = ()
    configs: tuple[str, ...] = ()
    source: str | None = None

    def options(self, given: PullOptions) -> PullOptions:
        """Return the options of its pull: its own number of samples, and its own values if none were given for all."""
        return given.changed(
            samples=self.samples,
            splits=given.splits or self.splits,
            configs=given.configs or self.configs,
            source=given.source or self.source,
        )


@dataclass(frozen=True, slots=True)
class Skipped:
    """A dataset that is not pulled, and what the user has to do first."""

    name: str
    why: str


@dataclass(frozen=True, slots=True)
class PulledSet:
    """The outcome for several datasets: the results of those pulled, and the errors of those that failed, by name."""

    pulled: list[PullResult]
    failed: dict[str, TriptychError]
    skipped: list[Skipped]


class _Entry(CardModel):
    name: Name
    split: Name | None = None
    config: ConfigName | None = None


class Preset(CardModel):
    """A named set of datasets; `samples` is per panel."""

    about: str
    samples: int = Field(gt=0)
    panels: dict[Literal["S1", "S2", "S3"], list[_Entry]] = Field(min_length=1)


def preset_names() -> list[str]:
    return sorted(Path(str(path)).stem for path in _folder().iterdir() if path.name.endswith(".yaml"))


def read_preset(name: str) -> Preset:
    """Read a preset. Raises UsageError if it does not exist or is malformed."""
    if name not in preset_names():
        raise UsageError(
            f"There is no preset {name!r}. Presets: {', '.join(preset_names())}.",
            hint=did_you_mean(name, preset_names()),
        )
    try:
        file = _folder() / f"{name}.yaml"
        return Preset.model_validate(parse_yaml(file.read_bytes(), name=str(file), noun="preset").value)
    except ValidationError as error:
        raise UsageError(f"preset {name}: {error}") from error


def preset_items(name: str, *, samples: int | None) -> list[PullItem]:
    """Return the items of a preset: `samples` (default: its own number) per panel, divided evenly."""
    preset = read_preset(name)
    items: list[PullItem] = []
    for entries in preset.panels.values():
        for entry, share in zip(entries, shares(samples or preset.samples, len(entries)), strict=True):
            if share:
                splits = (entry.split,) if entry.split else ()
                configs = (entry.config,) if entry.config else ()
                items.append(PullItem(entry.name, share, splits, configs))
    return items


def choose_items(
    names: Sequence[str],
    options: PullOptions,
    *,
    panel: str | None = None,
    modality: str | None = None,
    preset: str | None = None,
) -> tuple[list[PullItem], list[Skipped]]:
    """Return what to pull: the named datasets, or the available ones of a panel, a modality or a preset.

    Raises:
        UsageError: None or several of these were given, or a dataset does not exist.
    """
    ways = [bool(names), panel is not None or modality is not None, preset is not None]
    if sum(ways) > 1:
        asked = {"names": names, "--panel": panel, "--modality": modality, "--preset": preset}
        given = [way for way, value in asked.items() if value]
        raise UsageError(f"{' and '.join(given)} exclude each other: choose one way to say what to pull.",
                         hint="triptych catalog pull librispeech --samples 100")  # fmt: skip
    if not any(ways):
        raise UsageError("choose what to pull: names, or --panel and --modality, or --preset.",
                         hint="triptych catalog pull librispeech --samples 100")  # fmt: skip
    if options.from_path is not None and len(names) != 1:
        raise UsageError("--from works with one dataset at a time.")
    skipped: list[Skipped] = []
    samples, mirror, cards = options.samples, options.mirror, options.cards
    if preset is not None:
        items, skipped = open_items(preset_items(preset, samples=samples), mirror=mirror, cards=cards)
    elif names:
        items = [PullItem(name, samples) for name in names]
    else:
        items, skipped = items_of(panel=panel, modality=modality, samples=samples, mirror=mirror, cards=cards)
    check_items(items, cards=cards)
    return items, skipped


def pull_items(
    items: Sequence[PullItem],
    skipped: list[Skipped],
    pull_one: Callable[[PullItem], PullResult],
    on_failure: Callable[[str, TriptychError], None] = lambda name, error: None,
) -> PulledSet:
    """Pull the datasets one after another; a failed one does not stop the others."""
    pulled = PulledSet([], {}, skipped)
    for item in items:
        try:
            pulled.pulled.append(pull_one(item))
        except TriptychError as error:
            pulled.failed[item.name] = error
            on_failure(item.name, error)
    return pulled


def open_items(
    items: Sequence[PullItem], *, mirror: str | None = None, cards: Sequence[Path] = ()
) -> tuple[list[PullItem], list[Skipped]]:
    """Return the items that can be pulled now, each from its first open source, and those that cannot.

    With a mirror, gates are not checked.
    """
    chosen: list[PullItem] = []
    skipped: list[Skipped] = []
    for item in items:
        card = get_card(item.name, extra=cards)
        source, why = open_source(card, ask_gates=mirror is None)
        if source is None:
            skipped.append(Skipped(item.name, why))
            continue
        given = item.source if source is card.sources[0] else f"{source.kind}:{source.place}"
        chosen.append(replace(item, source=given))
    return chosen, skipped


def shares(total: int, parts: int) -> list[int]:
    """Divide `total` into integers that differ by at most one, the larger ones first."""
    each, rest = divmod(total, parts)
    return [each + (number < rest) for number in range(parts)]


def items_of(
    *,
    panel: str | None,
    modality: str | None,
    samples: int | None,
    mirror: str | None = None,
    cards: Sequence[Path] = (),
) -> tuple[list[PullItem], list[Skipped]]:
    """Return every available dataset of a panel or modality, without the synthetic ones.

    Raises:
        UsageError: There is no dataset of that panel or modality.
    """
    items: list[PullItem] = []
    for card in all_cards(extra=cards):
        if _is_of(card, panel, modality) and not all(source.synthetic for source in card.sources):
            needs_config = card.configs and not any(config.default for config in card.configs.values())
            configs = (next(iter(card.configs)),) if needs_config else ()
            items.append(PullItem(card.name, samples, configs=configs))
    if not items:
        asked = " and ".join(filter(None, [panel and f"panel {panel}", modality and f"modality {modality}"]))
        raise UsageError(f"no card has {asked}.", hint="triptych catalog list")
    return open_items(items, mirror=mirror, cards=cards)


def open_source(card: Card, *, ask_gates: bool = True) -> tuple[SourceCard | None, str]:
    """Return the first open source, or what the user has to do first; manual sources are never open."""
    why = ""
    for source in card.sources:
        if source.manual is not None:
            why = why or f"{source.manual}; then: triptych catalog pull {card.name} --from PATH"
            continue
        try:
            if ask_gates:
                check_gate(card, source)
        except GateError as error:
            why = why or f"{error.message} {error.hint or ''}".strip()
            continue
        return source, ""
    return None, why


def check_items(items: Sequence[PullItem], *, cards: Sequence[Path] = ()) -> None:
    """Raises UsageError if a dataset does not exist, before any is pulled."""
    for item in items:
        get_card(item.name, extra=cards)


def _is_of(card: Card, panel: str | None, modality: str | None) -> bool:
    return (panel is None or card.panel == panel.upper()) and (modality is None or card.modality == modality)


def _folder() -> Path:
    return Path(str(resources.files("triptych.catalog.presets")))
