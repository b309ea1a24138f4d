"""The dataset catalog: from a card's name to samples in a store.

    triptych.catalog.list(panel="S1", task="asr")
    triptych.catalog.show("librispeech", samples=500)

inventory.py  `list` and `show`: cards, with counts from the store
registry.py   finding and loading cards
cards/        one YAML file per dataset; presets/ defines named sets of datasets
schema/       the card format
pull/         from a card to samples in the store
subset/       which candidates a pull takes
files/        from the file names on a card to open streams
hosts/        `check`: whether the hosts have what a card says
sources/      where raw files come from
cost.py       the estimated cost of a pull
fetch.py      download a dataset's files into a mirror
refetch.py    media that the store has lost, from where it came from
docs_page.py  generates docs/datasets.md
"""

from __future__ import annotations

import builtins
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..options import described_by, from_python
from .inventory import ListOptions

if TYPE_CHECKING:
    from typing import Unpack

    from ..options.arguments import ListArguments
    from .hosts.findings import CheckedCard
    from .inventory import ListedCard, ShownCard

PathLike = str | Path

__all__ = ["check", "lint", "list", "show"]


@described_by(ListOptions)
def list(*, store: Path | str | None = None, **options: Unpack[ListArguments]) -> builtins.list[ListedCard]:
    """List the cards, with the number of samples already stored.

    Args:
        store: The store; default: `TRIPTYCH_STORE`, else `./store`. It does not have to exist.
        {options}
    """
    from .inventory import list_cards

    return list_cards(ListOptions.of(**options), store=store)


@from_python
def show(
    name: str,
    *,
    samples: int = 1000,
    config: str | Sequence[str] = (),
    cards: PathLike | Sequence[PathLike] = (),
    store: Path | str | None = None,
    mirror: Path | str | None = None,
) -> ShownCard:
    """Return one card, its number of stored samples, and the estimated cost of pulling `samples` samples.

    With `mirror`, also how many of the files that its sources name the mirror has.
    """
    from .inventory import show_card

    configs = (config,) if isinstance(config, str) else tuple(config)
    return show_card(name, samples=samples, configs=configs, cards=_paths(cards), store=store, mirror=mirror)


@from_python
def check(name: str, *, config: str | Sequence[str] = (), cards: PathLike | Sequence[PathLike] = ()) -> CheckedCard:
    """Ask the hosts of a card's sources whether they have what it says; no data is downloaded.

    Files, sizes, checksums, columns, licence tag and gate of a hub repository; size and type of other files. What a
    host does not answer is a finding `not asked`.

    Args:
        config: Configurations whose addresses are asked for; default: the card's default ones, else its first.
    """
    from .hosts.check import check_card

    configs = (config,) if isinstance(config, str) else tuple(config)
    return check_card(name, configs=configs, cards=_paths(cards))


@from_python
def lint(
    paths: PathLike | Sequence[PathLike] = (), *, cards: PathLike | Sequence[PathLike] = ()
) -> dict[Path, builtins.list[str]]:
    """Return the problems of the given card files; default: all cards."""
    from .registry import lint as lint_cards

    return lint_cards(_paths(paths), extra=_paths(cards))


def _paths(given: PathLike | Sequence[PathLike]) -> tuple[Path, ...]:
    return (Path(given),) if isinstance(given, str | os.PathLike) else tuple(map(Path, given))


def __dir__() -> builtins.list[str]:
    return sorted(__all__)
