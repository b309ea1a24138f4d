"""What a card says, fact by fact, and where each was seen.

`seen` on a card maps a fact to the recipe or page where somebody read it; a fact that it does not name is unseen: taken
from memory, from a paper's abstract, from one copy of several. The facts of the dataset are `license`, `languages`,
`gate`, `scale`, `splits`, `configs`, `layout`; those of a source are `files` (their names and addresses), `columns`
(of tables and annotations) and `checksums`. A fact of a source holds for all sources, or for one by its number, as
`catalog lint` counts them:

    seen:
      license: the card on the hub
      columns: lhotse, lhotse/recipes/fleurs.py
      sources.0.files: the file tree of the hub
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .card import Card
    from .source import SourceCard

OF_DATASET = ("license", "languages", "gate", "scale", "splits", "configs", "layout")
OF_SOURCE = ("files", "columns", "checksums")


def places_of_facts(card: Card) -> dict[str, str | None]:
    """Return each fact that the card states, with the place where it was seen; None if unseen.

    A fact of a source is given once if the sources agree on its place, else as `sources.<number>.<fact>`.
    A generated dataset states nothing that could be seen elsewhere.
    """
    if all(source.synthetic is not None for source in card.sources):
        return {}
    found = {fact: card.seen.get(fact) for fact in OF_DATASET if _is_stated(card, fact)}
    for fact in OF_SOURCE:
        places = {
            name: card.seen.get(name, card.seen.get(fact))
            for name, source in _by_name(card, fact).items()
            if fact in facts_of_source(source)
        }
        found |= {fact: next(iter(places.values()))} if len(set(places.values())) == 1 else places
    return found


def unknown_facts(card: Card) -> Iterator[tuple[str, str]]:
    """Yield each name in `seen` that is no fact of this card, with the reason."""
    named = {f"sources.{number}.{fact}": source for fact in OF_SOURCE for number, source in enumerate(card.sources)}
    for name in card.seen:
        fact = name.rsplit(".", 1)[-1]
        if name in OF_DATASET:
            stated = _is_stated(card, name)
        elif name in OF_SOURCE:
            stated = any(name in facts_of_source(source) for source in card.sources)
        elif name in named:
            stated = fact in facts_of_source(named[name])
        else:
            yield name, f"not a fact: use {', '.join((*OF_DATASET, *OF_SOURCE))} or sources.<number>.<fact>"
            continue
        if not stated:
            yield name, f"the card states no {fact} that could be seen"


def facts_of_source(source: SourceCard) -> tuple[str, ...]:
    """Return the facts that one source states."""
    if source.synthetic is not None:
        return ()
    stated = {
        "files": source.named_files is not None,
        "columns": True,
        "checksums": source.sha256 is not None or source.md5 is not None,
    }
    return tuple(fact for fact, is_stated in stated.items() if is_stated)


def _is_stated(card: Card, fact: str) -> bool:
    if fact == "gate":
        return any(card.gate_of(source) is not None for source in card.sources)
    if fact == "scale":
        return bool(card.scale.model_dump(exclude_none=True))
    return bool(getattr(card, fact))


def _by_name(card: Card, fact: str) -> Mapping[str, SourceCard]:
    return {f"sources.{number}.{fact}": source for number, source in enumerate(card.sources)}
