"""Which sources of a card a pull tries, in order, and the gates before them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from ...errors import GateError, NetworkError, UsageError
from ..schema.card import Card
from ..schema.source import SOURCE_KINDS, SourceCard
from .history import History

_OWN_ORDER = ("manual", "archive", "hub", "urls", "youtube", "synthetic")
"""The order of sources for the user's own files: the original release comes first."""


def usable_sources(
    card: Card, *, configs: Sequence[str] = (), splits: Sequence[str] = (), asked: str | None = None
) -> list[SourceCard]:
    """Return the sources that have what is requested, in the card's order.

    Args:
        configs: Configurations that the source must have.
        splits: Requested splits; sources known to have none of them are left out.
        asked: A kind, or `kind:place` if the card has several of one kind (`hub:owner/name`).

    Raises:
        UsageError: The card has no such source, or none with all of these configurations.
    """
    sources = _with_configs(card, configs)
    sources = [each for each in sources if _has_some(each, splits)] or sources
    if asked is None:
        return sources
    kind, _, place = asked.partition(":")
    chosen = [each for each in sources if each.kind == kind and place in each.place]
    if not chosen:
        has = ", ".join(dict.fromkeys(f"{source.kind}:{source.place}" for source in sources))
        known = "" if kind in SOURCE_KINDS else f" (kinds: {', '.join(SOURCE_KINDS)})"
        raise UsageError(f"{card.name} has no source {asked!r}{known}; it has {has}.")
    return chosen


def sources_to_try(sources: list[SourceCard], *, is_asked: bool, history: History) -> list[SourceCard]:
    """Return the usable sources to try: the requested ones, or the source of the stored rows, or all."""
    if is_asked:
        return sources
    if history.source is not None:
        same = [source for source in sources if (source.kind, source.place) == (history.source, history.place)]
        kept = same or [source for source in sources if source.kind == history.source]
        if kept:
            return kept
    # A manual source is no fallback for an unreachable host.
    return [source for source in sources if source.manual is None] or sources


def _with_configs(card: Card, configs: Sequence[str]) -> list[SourceCard]:
    """Return the sources that have all of these configurations."""
    found = [source for source in card.sources if source.configs is None or set(configs) <= source.configs]
    if not found:
        raise UsageError(
            f"{card.name}: no source has all of the configurations {', '.join(configs)}.", hint="pull them one by one"
        )
    return found


def _has_some(source: SourceCard, splits: Sequence[str]) -> bool:
    return source.splits is None or not splits or not source.splits.isdisjoint(splits)


def source_of_files(
    card: Card, sources: Sequence[SourceCard], path: Path, *, allow_outside: tuple[Path, ...] = ()
) -> SourceCard:
    """Return the source whose layout the user's files have, for equal layouts the original release.

    Raises:
        UsageError: They have the layouts of several sources.
    """
    from ..files.layout import source_of

    ranked = sorted(sources, key=lambda source: _OWN_ORDER.index(source.kind))
    return source_of(card, ranked, path, allow_outside=allow_outside)


def check_gate(card: Card, source: SourceCard) -> None:
    """Raises GateError if the data is gated and no token or password is set."""
    gate = card.gate_of(source)
    if gate is None or source.manual is not None:
        return
    message = f"{card.name} is gated: {gate.accept}"
    if source.password is not None:
        if not os.environ.get(source.password):
            raise GateError(
                message,
                hint=f"at {gate.where}; then set {source.password} to the password you were sent, or pull your copy "
                "with --from PATH",
            )
        return
    if source.kind != "hub":
        raise GateError(message, hint=f"at {gate.where}; then pull your copy with --from PATH")
    from ..sources.hub import hub_tokens

    if not hub_tokens():
        raise GateError(message, hint=f"at {gate.where}; then: hf auth login, or set {gate.token or 'HF_TOKEN'}")


def fallback_notice(source: SourceCard, error: NetworkError, following: SourceCard) -> str:
    other = f"{following.kind} {following.place}" if following.kind == source.kind else following.kind
    return f"{source.kind} {source.place}: {error.message} Trying {other} instead."
