"""Check one card against the hosts of its sources."""

from __future__ import annotations

from pathlib import Path

from ..registry import card_paths, get_card
from ..schema.card import Card
from ..sources.download.http import HttpClient
from ..sources.download.retry import Retry
from ..sources.hub import hub_tokens
from .addresses import check_addresses
from .findings import CheckedCard, Finding
from .hub import check_hub

ATTEMPTS = Retry(attempts=3, connect_attempts=2, longest=10.0, total=60.0)
"""Less than a pull has: what a host does not answer within a minute is told as not asked."""


def check_card(name: str, *, configs: tuple[str, ...] = (), cards: tuple[Path, ...] = ()) -> CheckedCard:
    """Ask the hosts of all sources of a card.

    Args:
        configs: Configurations whose addresses are asked for; default: the card's default ones, else its first. The
            files of hub repositories are compared for all configurations, from one listing.

    Raises:
        UsageError: There is no such card or configuration.
    """
    card = get_card(name, extra=cards)
    chosen = card.chosen_configs(configs) if configs else _usual_configs(card)
    findings: list[Finding] = []
    unnamed: dict[int, tuple[str, ...]] = {}
    with HttpClient(tokens=hub_tokens(), retry=ATTEMPTS) as client:
        silent: set[str] = set()
        for number, source in enumerate(card.sources):
            if source.hub is not None:
                found = check_hub(card, number, client)
                findings += found.findings
                unnamed[number] = found.unnamed
            if source.named_files is not None:
                findings += check_addresses(card, number, chosen, client, silent)
    return CheckedCard(card, str(card_paths(cards)[name]), tuple(findings), unnamed)


def _usual_configs(card: Card) -> tuple[str, ...]:
    default = tuple(name for name, config in card.configs.items() if config.default)
    return default or tuple(card.configs)[:1]
