"""Generate `docs/datasets.md` from the cards: facts about each dataset, and what was tested."""

from __future__ import annotations

from collections.abc import Sequence

from .schema.card import Card
from .schema.facts import places_of_facts

_PANELS = {"S1": "Audio (S1)", "S2": "Video (S2)", "S3": "Audio and video (S3)"}
_HEAD = """# Datasets

Every dataset in the catalog, by panel. This page is generated from the cards: `triptych catalog list --markdown`.

*Gated* means that every source requires a form, a login or your own copy; `triptych catalog show NAME` says which.
*Tested* names the data that the card's reader was run on; *not tested* names what could not be tried.
*Seen* names where each fact of the card was read; *unseen* facts come from memory or from other facts. Where a network
is, `triptych catalog check NAME` asks the host itself. *Compared with* names the recipe of another tool that a pull of
the same files was held against, and what differs on purpose.
"""


def datasets_page(cards: Sequence[Card]) -> str:
    """Return the page as Markdown: a table and the details for each panel."""
    parts = [_HEAD]
    for panel, title in _PANELS.items():
        of_panel = [card for card in cards if card.panel == panel]
        if of_panel:
            parts.append(f"## {title}\n\n{_table(of_panel)}\n\n" + "\n\n".join(map(_details, of_panel)) + "\n")
    return "\n".join(parts).rstrip() + "\n"


def _table(cards: Sequence[Card]) -> str:
    head = "| dataset | tasks | hours | samples | licence | access | sources |"
    return "\n".join([head, "| --- | --- | ---: | ---: | --- | --- | --- |", *map(_row, cards)])


def _row(card: Card) -> str:
    hours = f"{card.scale.hours:,.10g}" if card.scale.hours is not None else ""
    samples = f"{card.scale.samples:,}" if card.scale.samples is not None else ""
    kinds = ", ".join(dict.fromkeys(source.kind for source in card.sources))
    cells = [f"[{card.name}](#{card.name})", ", ".join(card.tasks), hours, samples, card.license,
             "gated" if card.is_gated else "open", kinds]  # fmt: skip
    return "| " + " | ".join(_cell(cell) for cell in cells) + " |"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _seen(card: Card) -> dict[str, str]:
    """The facts of a card by the place where they were seen."""
    facts = places_of_facts(card)
    places = dict.fromkeys(place for place in facts.values() if place is not None)
    seen = [f"{', '.join(fact for fact in facts if facts[fact] == place)} in {place}" for place in places]
    return {"Seen": "; ".join(seen), "Unseen": ", ".join(fact for fact, place in facts.items() if place is None)}


def _details(card: Card) -> str:
    lines = [f"### {card.name}", "", card.title + "."]
    roles = ", ".join(f"{split} ({role})" if split != role else split for split, role in card.splits.items())
    facts = {
        "Splits": roles,
        "Layout": f"`{card.layout}`" if card.layout else None,
        "Tested": card.tested,
        "Not tested": card.untested,
    }
    facts |= _seen(card) | {f"Compared with {recipe}": differs for recipe, differs in card.recipes.items()}
    lines += ["", *(f"* {key}: {value}" for key, value in facts.items() if value)]
    for source in card.sources:
        gate = card.gate_of(source)
        behind = f"; gated: {gate.accept} ({gate.where})" if gate else ""
        note = f"; {source.note}" if source.note else ""
        place = source.place if source.manual is not None else f"`{source.place}`"
        lines.append(f"* Source {source.kind}: {place}{note}{behind}")
    return "\n".join(lines)
