"""Datasets by name: from a card to samples in a store.

    triptych.catalog.list(panel="S1", task="asr")
    triptych.catalog.show("librispeech", samples=500)

inventory.py  `list` and `show`: cards, with what the store holds of them
registry.py   the cards there are
cards/        one YAML file a dataset; presets/ name sets of them
schema/       what a card may say
pull/         from a card to samples in the store
subset/       which candidates
files/        from names on a card to open streams
sources/      where raw files come from
cost.py       what a pull would cost
fetch.py      files into a mirror
docs_page.py  docs/datasets.md
"""

from __future__ import annotations

import builtins
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..options import described_by
from .inventory import ListOptions

if TYPE_CHECKING:
    from typing import Unpack

    from ..arguments import ListArguments
    from .inventory import ListedCard, ShownCard

__all__ = ["lint", "list", "show"]


@described_by(ListOptions)
def list(*, store: Path | str | None = None, **options: Unpack[ListArguments]) -> builtins.list[ListedCard]:
    """The cards, with what is already in the store.

    Args:
        store: The store; default: `TRIPTYCH_STORE`, else `./store`. It need not be there.
        {options}
    """
    from .inventory import list_cards

    return list_cards(ListOptions.of(**options), store=store)


def show(
    name: str,
    *,
    samples: int = 1000,
    config: str | Sequence[str] = (),
    cards: Sequence[Path | str] = (),
    store: Path | str | None = None,
) -> ShownCard:
    """One card, what the store holds of it, and what a pull of so many samples would cost."""
    from .inventory import show_card

    configs = (config,) if isinstance(config, str) else tuple(config)
    return show_card(name, samples=samples, configs=configs, cards=tuple(map(Path, cards)), store=store)


def lint(paths: Sequence[Path | str] = (), *, cards: Sequence[Path | str] = ()) -> dict[Path, builtins.list[str]]:
    """The problems of card files, or of all cards."""
    from .registry import lint as lint_cards

    return lint_cards([Path(path) for path in paths], extra=[Path(path) for path in cards])
