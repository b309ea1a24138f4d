"""`triptych catalog`: list, show, check and lint; pull and fetch are in `pull.py`."""

from __future__ import annotations

import shlex
import shutil
import sys
from collections.abc import Sequence
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ...catalog.inventory import ListOptions
from ...errors import amount
from .. import completion, output
from ..parameters import CardsOption, JsonOption, StoreOption, listed, takes

if TYPE_CHECKING:
    from ...catalog.cost import Estimate
    from ...catalog.hosts.findings import CheckedCard
    from ...catalog.inventory import ShownCard
    from ...catalog.schema.card import Card
    from ...catalog.schema.source import SourceCard

LIST_EXAMPLES = """
triptych catalog list --panel S1 --task asr
triptych catalog list --open --language zh
"""
WIDE_LIST = 140
"""Width of a terminal, in columns, from which the list of cards is shown with uncut cells."""


@takes(ListOptions)
def list_cards(
    options: ListOptions,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print the page docs/datasets.md.")] = False,
    store: StoreOption = None,
    json: JsonOption = False,
) -> None:
    """List the cards, with the number of samples already in the store."""
    from ...catalog.inventory import list_cards as find_cards

    found = find_cards(options, store=store)
    cards, stored = [each.card for each in found], {each.name: each.stored for each in found}
    if markdown:
        from ...catalog.docs_page import datasets_page

        output.say(datasets_page(cards).rstrip())
        return
    output.emit([each.document() for each in found], as_json=json, show=lambda: _show_list(cards, stored))


def _show_list(cards: list[Card], stored: dict[str, int]) -> None:
    """Print one line per card, even on a terminal of 80 columns, where long cells are cut."""
    narrow = sys.stdout.isatty() and shutil.get_terminal_size().columns < WIDE_LIST
    columns: dict[str, list[Any]] = {
        "name": [card.name for card in cards],
        "panel": [card.panel for card in cards],
        "tasks": [_first(card.tasks) if narrow else ", ".join(card.tasks) for card in cards],
        "languages": [_first(_spoken(card)) if narrow else _languages(card) for card in cards],
        "hours": [_round(card.scale.hours) for card in cards],
        "licence": [_cut(card.license, 10) if narrow else card.license for card in cards],
        "access": ["gated" if card.is_gated else "open" for card in cards],
    }
    if any(stored.get(card.name) for card in cards):
        columns["stored"] = [stored.get(card.name, 0) for card in cards]
        if narrow:
            del columns["licence"]
    output.table(list(columns), list(zip(*columns.values(), strict=True)))


def _first(names: Sequence[str]) -> str:
    return f"{names[0]} +{len(names) - 1}" if len(names) > 1 else "".join(names)


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: width - 1]}…"


def _round(hours: float | None) -> float | int | None:
    return round(hours) if hours is not None and hours >= 10 else hours


def _languages(card: Card) -> str:
    """The languages of a card; only the first few if there are many."""
    spoken = _spoken(card)
    return ", ".join(spoken[:6]) + (f" and {len(spoken) - 6} more" if len(spoken) > 6 else "")


def _spoken(card: Card) -> list[str]:
    return list(dict.fromkeys([*card.languages, *(each.language for each in card.configs.values() if each.language)]))


def show(
    name: Annotated[str, typer.Argument(help="A card's name.", autocompletion=completion.cards)],
    samples: Annotated[int, typer.Option(min=1, help="Estimate the cost of a pull of this many samples.")] = 1000,
    config: Annotated[list[str] | None, typer.Option(help="Configurations; default: the card's default ones.")] = None,
    mirror: Annotated[
        str | None,
        typer.Option(metavar="PATH_OR_URL", help="Also show what this mirror has of its files."),
    ] = None,
    cards: CardsOption = None,
    store: StoreOption = None,
    json: JsonOption = False,
) -> None:
    """Show one card: size, licence, gate, sources, splits, pitfalls, and the cost of a pull."""
    from ... import catalog

    found = catalog.show(name, samples=samples, config=listed(config), cards=cards or (), store=store, mirror=mirror)
    output.emit(found.document(), as_json=json, show=lambda: _show(found, mirror, cards or ()))


def _show(found: ShownCard, mirror: str | None, cards: Sequence[Path]) -> None:
    card, stored, configs = found.card, found.stored, found.configs
    output.say(f"{card.name}: {card.title}")
    roles = {role: [split for split, of in card.splits.items() if of == role] for role in card.splits.values()}
    facts = {
        "panel": f"{card.panel} ({card.modality})",
        "tasks": ", ".join(card.tasks),
        "languages": _languages(card),
        "scale": _scale(card),
        "licence": card.license,
        "gate": _gate(card),
        "splits": "; ".join(f"{role}: {', '.join(splits)}" for role, splits in roles.items()),
        "promises": _promises(card),
        "configs": _configs(card),
        "lists": ", ".join(card.evaluation),
        "layout": card.layout,
        "homepage": card.homepage,
        "citation": card.citation,
        "stored": amount(stored, "sample"),
        "alive": _alive_text(found.alive),
    }
    for key, value in facts.items():
        if value:
            output.say(f"  {key:<10} {value}")
    output.say("  sources")
    for source, counts in zip_longest(card.sources, found.mirrored):
        behind = "" if card.gate_of(source) is None else " (gated)"
        if counts is not None:
            behind += f" ({counts[0]:,} of the {counts[1]:,} files that it names are in the mirror)"
        output.say(f"    {source.kind:<10} {source.place}{behind}" + (f": {source.note}" if source.note else ""))
    _show_facts(card)
    whole = f"all of {', '.join(configs[:5])}{' ...' if len(configs) > 5 else ''}" if configs else "all of it"
    for what, cost in found.costs.items():
        output.say(f"  {whole if what == 'all' else f'a pull of {cost.samples or 0:,}'}: {_cost(cost)}")
    for line in (*card.pitfalls, *card.notes):
        output.say(f"  - {line}")
    output.say()
    from_where = [f" --cards {shlex.quote(str(each))}" for each in cards]
    from_where += [f" --mirror {shlex.quote(mirror)}"] if mirror else []
    for line in _how(card, configs):
        output.say(line + "".join(from_where) if line.startswith("pull:") else line)


def _promises(card: Card) -> str:
    if not isinstance(card.promises, dict):
        return ", ".join(card.promises)
    return "; ".join(f"{split}: {', '.join(fields)}" for split, fields in card.promises.items())


def _show_facts(card: Card) -> None:
    """Print where each fact of the card was seen, and the recipes that a pull was compared with."""
    from ...catalog.schema.facts import places_of_facts

    facts = places_of_facts(card)
    if facts:
        output.say("  facts")
    for fact, place in facts.items():
        output.say(f"    {fact:<10} {f'seen in {place}' if place else 'unseen'}")
    for recipe, differs in card.recipes.items():
        output.say(f"  compared with {recipe}: {differs}")


def _scale(card: Card) -> str:
    scale = card.scale
    numbers = ((scale.hours, "hours"), (scale.samples, "samples"), (scale.speakers, "speakers"))
    parts = [f"{value:,.10g} {unit}" for value, unit in numbers if value is not None]
    return ", ".join([*parts, output.size(scale.bytes)] if scale.bytes is not None else parts)


def _gate(card: Card) -> str:
    gates = {gate.where: gate.accept for gate in map(card.gate_of, card.sources) if gate is not None}
    terms = "; ".join(f"{accept} ({where})" for where, accept in gates.items())
    return f"{terms}; another source is open" if gates and not card.is_gated else terms or "open"


def _configs(card: Card) -> str:
    names = [f"{name} (default)" if config.default else name for name, config in card.configs.items()]
    return ", ".join(names[:20]) + (f" and {len(names) - 20} more" if len(names) > 20 else "")


def _cost(cost: Estimate) -> str:
    size = f"about {output.size(cost.bytes)}" if cost.bytes else "size unknown"
    requests = "one request per clip" if cost.requests is None else f"{cost.requests:,} requests"
    return ", ".join([
        size + (" (estimated from its hours)" if cost.rough else ""),
        "1 request" if cost.requests == 1 else requests,
        f"{cost.hours:,.1f} hours" if cost.hours is not None else "hours unknown",
    ])  # fmt: skip


def _alive_text(alive: dict[str, Any] | None) -> str | None:
    if not alive or alive["share"] is None:
        return None
    failed = ", ".join(f"{count:,} {reason}" for reason, count in alive["failed"].items())
    return f"{alive['share']:.1%} of {alive['stored'] + alive['gone']:,} clips with a known outcome; {failed}"


def _how(card: Card, configs: tuple[str, ...]) -> list[str]:
    """The command that pulls the dataset, ready to run, after any terms that must be accepted first."""
    from ...catalog.pull.batch import open_source

    command = f"triptych catalog pull {card.name}"
    source, _ = open_source(card)
    lines: list[str] = []
    if source is None:
        source = next((each for each in card.sources if each.hub is not None), None)
        gate = card.gate_of(source) if source is not None else None
        if source is None or gate is None:
            return [f"pull: {command} --from PATH"]
        lines = [f"first: accept {gate.accept} at {gate.where}; then: hf auth login"]
    if source is not card.sources[0]:
        command += (
            f" --source {source.kind}:{source.place}"
            if _is_one_of_several(source, card)
            else f" --source {source.kind}"
        )
    if card.configs and not configs:
        of_source = source.configs
        command += f" --config {next(name for name in card.configs if of_source is None or name in of_source)}"
    return [*lines, f"pull: {command} --samples 100"]


def _is_one_of_several(source: SourceCard, card: Card) -> bool:
    return sum(each.kind == source.kind for each in card.sources) > 1


def check(
    name: Annotated[str, typer.Argument(help="A card's name.", autocompletion=completion.cards)],
    config: Annotated[
        list[str] | None, typer.Option(help="Configurations whose addresses are asked for; default: the default ones.")
    ] = None,
    cards: CardsOption = None,
    json: JsonOption = False,
) -> None:
    """Ask the hosts whether they have what a card says; no data is downloaded. Exit 1 if they differ."""
    from ... import catalog

    found = catalog.check(name, config=listed(config), cards=cards or ())
    output.emit(found.document(), as_json=json, show=lambda: _show_check(found))
    if found.differences:
        raise typer.Exit(1)
    if found.unanswered:
        raise typer.Exit(3)


def _show_check(found: CheckedCard) -> None:
    for number, source in enumerate(found.card.sources):
        findings = [each for each in found.findings if each.source == number]
        output.say(f"{source.kind} {source.place}" if findings else f"{source.kind}: no host to ask")
        for each in findings:
            about = f"{each.file}: " if each.file is not None else ""
            output.say(f"  {each.status:<9}  {each.fact:<9}  {about}{each.said}")
        if found.unnamed.get(number):
            output.say(f"  no split names {', '.join(found.unnamed[number])}")
    differ, unanswered = len(found.differences), len(found.unanswered)
    counts = f"{len(found.findings) - differ - unanswered} equal, {differ} differ, {unanswered} not asked"
    output.say(f"{counts}: the card is {found.path}" if found.differences else counts)


def lint(
    paths: Annotated[list[Path] | None, typer.Argument(help="Card files or folders; default: all cards.")] = None,
    cards: CardsOption = None,
    json: JsonOption = False,
) -> None:
    """Validate cards against the card model; exit 1 if any has a problem."""
    from ...catalog.registry import lint as lint_cards

    found = lint_cards(paths or [], extra=cards or ())
    problems = [problem for each in found.values() for problem in each]

    def show_problems() -> None:
        for problem in problems:
            output.say(problem)
        cards_of, problems_of = "card" if len(found) == 1 else "cards", "problem" if len(problems) == 1 else "problems"
        output.say(f"{len(found)} {cards_of}, {len(problems)} {problems_of}")

    output.emit({str(path): each for path, each in found.items()}, as_json=json, show=show_problems)
    if problems:
        raise typer.Exit(1)
