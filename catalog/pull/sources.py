"""Which sources of a card a pull tries, in order, and the gates before them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from ...errors import GateError, NetworkError, UsageError
from ..schema.card import Card
from ..schema.source import SOURCE_KINDS, SourceCard
from .history import History


def sources_to_try(
    card: Card,
    *,
    configs: Sequence[str] = (),
    splits: Sequence[str] = (),
    asked: str | None = None,
    from_path: Path | None = None,
    history: History | None = None,
) -> list[SourceCard]:
    """Return the sources to try: the requested one, or the source of the stored rows, or all in the card's order.

    Args:
        configs: Configurations that the source must have.
        splits: Requested splits; sources known to have none of them are left out.
        asked: A kind, or `kind:place` if the card has several of one kind (`hub:owner/name`).
        from_path: The user's own files; read with the first source that has their layout.

    Raises:
        UsageError: The card has no such source, or none with all of these configurations.
    """
    sources = _with_configs(card, configs)
    sources = [each for each in sources if _has_some(each, splits)] or sources
    if asked is not None:
        kind, _, place = asked.partition(":")
        chosen = [each for each in sources if each.kind == kind and place in each.place]
        if not chosen:
            has = ", ".join(dict.fromkeys(f"{source.kind}:{source.place}" for source in sources))
            known = "" if kind in SOURCE_KINDS else f" (kinds: {', '.join(SOURCE_KINDS)})"
            raise UsageError(f"{card.name} has no source {asked!r}{known}; it has {has}.")
        return chosen
    if from_path is not None:
        return [_layout_of(sources, from_path)]
    if history is not None and history.source is not None:
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


def _layout_of(sources: Sequence[SourceCard], path: Path) -> SourceCard:
    """Return the source whose layout the files have: the hub for Parquet files, else the original release."""
    is_parquet = path.suffix == ".parquet" or (path.is_dir() and any(path.glob("**/*.parquet")))
    order = ("hub", "archive", "manual") if is_parquet else ("manual", "archive", "hub", "urls", "youtube")
    ranked = sorted(sources, key=lambda source: order.index(source.kind) if source.kind in order else len(order))
    return ranked[0]


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
