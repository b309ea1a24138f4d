"""`triptych catalog`: list, show and lint; pull and fetch are in `pulling.py`."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from . import output
from .parameters import CardsOption, JsonOption, StoreOption, listed
from .pulling import fetch, pull

if TYPE_CHECKING:
    from ..catalog.cost import Estimate
    from ..catalog.schema.card import Card
    from ..catalog.schema.source import SourceCard

WIDE_LIST = 140
"""Columns of a terminal from which on the list of cards is shown with all that its cells hold."""

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    help="Datasets by name: look, check, pull, fetch.",
)


@app.command("list")
def list_cards(
    panel: Annotated[str | None, typer.Option("--panel", "--group", help="S1, S2 or S3.")] = None,
    modality: Annotated[str | None, typer.Option(help="audio, video or mixed.")] = None,
    task: Annotated[str | None, typer.Option(help="asr, captioning, qa ...")] = None,
    language: Annotated[str | None, typer.Option(help="en, zh ...")] = None,
    licence: Annotated[str | None, typer.Option("--license", "--licence", help="Part of its name: cc-by.")] = None,
    gated: Annotated[bool | None, typer.Option("--gated/--open", help="Behind a form, or free to pull.")] = None,
    markdown: Annotated[bool, typer.Option("--markdown", help="The page docs/datasets.md.")] = False,
    cards: CardsOption = None,
    store: StoreOption = None,
    json: JsonOption = False,
) -> None:
    """The cards, with what is already in the store."""
    from ..catalog.registry import all_cards

    chosen = [
        card
        for card in all_cards(extra=cards or ())
        if (panel is None or card.panel == panel.upper())
        and (modality is None or card.modality == modality)
        and (task is None or task in card.tasks)
        and (language is None or card.speaks(language))
        and (licence is None or licence.lower() in card.license.lower())
        and (gated is None or card.is_gated == gated)
    ]
    if markdown:
        from ..catalog.docs_page import datasets_page

        output.say(datasets_page(chosen).rstrip())
        return
    held = _held(store)
    document = [
        card.model_dump(mode="json") | {"gated": card.is_gated, "stored": held.get(card.name, 0)} for card in chosen
    ]
    output.emit(document, as_json=json, show=lambda: _show_list(chosen, held))


def _show_list(cards: list[Card], held: dict[str, int]) -> None:
    """One line a card, on a terminal of 80 columns too: there, long cells are cut; `show` has all of it."""
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
    if any(held.get(card.name) for card in cards):
        columns["stored"] = [held.get(card.name, 0) for card in cards]
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
    """The languages of a card, the first few of many."""
    spoken = _spoken(card)
    return ", ".join(spoken[:6]) + (f" and {len(spoken) - 6} more" if len(spoken) > 6 else "")


def _spoken(card: Card) -> list[str]:
    return list(dict.fromkeys([*card.languages, *(each.language for each in card.configs.values() if each.language)]))


def _held(store: Path | None) -> dict[str, int]:
    """Samples by dataset in the store, where there is one."""
    from ..shards.query import connect
    from ..shards.store import Store, resolve

    root = resolve(store)
    if not (root / "samples" / "_delta_log").is_dir():
        return {}
    with connect(Store(root), named_in="samples_as_pulled") as connection:
        rows = connection.execute("SELECT dataset, count(*) FROM samples_as_pulled GROUP BY 1").fetchall()
    return {str(name): int(count) for name, count in rows}


@app.command()
def show(
    name: Annotated[str, typer.Argument(help="A card's name.")],
    samples: Annotated[int, typer.Option(min=1, help="What a pull of this many would cost.")] = 1000,
    config: Annotated[list[str] | None, typer.Option(help="Configurations; the default ones without.")] = None,
    cards: CardsOption = None,
    store: StoreOption = None,
    json: JsonOption = False,
) -> None:
    """One card: size, licence, gate, sources, splits, pitfalls, and what a pull would cost."""
    from ..catalog.cost import estimate
    from ..catalog.registry import get_card

    card = get_card(name, extra=cards or ())
    configs = listed(config) or tuple(each for each, of in card.configs.items() if of.default)
    if config:
        card.chosen_configs(listed(config))
    costs = {"all": estimate(card, configs=configs), "pull": estimate(card, samples=samples, configs=configs)}
    held, alive = _held(store).get(name, 0), _alive(name, store)
    document = card.model_dump(mode="json") | {
        "gated": card.is_gated, "stored": held, "estimate": costs, "alive": alive
    }  # fmt: skip
    output.emit(document, as_json=json, show=lambda: _show(card, held, costs, alive, configs))


def _alive(name: str, store: Path | None) -> dict[str, Any] | None:
    """How much of a dataset could still be had when it was asked for, by reason; None where nobody asked yet."""
    from ..shards.store import Store, resolve

    root = resolve(store)
    if not (root / "samples" / "_delta_log").is_dir():
        return None
    from ..catalog.sources.clips.availability import alive

    found = alive(Store(root), name)
    if not found.failed:
        return None
    return {"stored": found.stored, "gone": found.gone, "share": found.share, "failed": found.failed,
            "asked_at": found.asked_at}  # fmt: skip


def _show(
    card: Card, held: int, costs: dict[str, Estimate], alive: dict[str, Any] | None, configs: tuple[str, ...]
) -> None:
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
        "configs": _configs(card),
        "lists": ", ".join(card.evaluation),
        "layout": card.layout,
        "homepage": card.homepage,
        "citation": card.citation,
        "stored": f"{held:,} samples",
        "alive": _said_alive(alive),
    }
    for key, value in facts.items():
        if value:
            output.say(f"  {key:<10} {value}")
    output.say("  sources")
    for source in card.sources:
        behind = "" if card.gate_of(source) is None else " (gated)"
        output.say(f"    {source.kind:<10} {source.place}{behind}" + (f": {source.note}" if source.note else ""))
    whole = f"all of {', '.join(configs[:5])}{' ...' if len(configs) > 5 else ''}" if configs else "all of it"
    for what, cost in costs.items():
        output.say(f"  {whole if what == 'all' else f'a pull of {cost.samples or 0:,}'}: {_cost(cost)}")
    for line in (*card.pitfalls, *card.notes):
        output.say(f"  - {line}")
    output.say()
    for line in _how(card, configs):
        output.say(line)


def _scale(card: Card) -> str:
    scale = card.scale
    numbers = ((scale.hours, "hours"), (scale.samples, "samples"), (scale.speakers, "speakers"))
    said = [f"{value:,.10g} {unit}" for value, unit in numbers if value is not None]
    return ", ".join([*said, output.size(scale.bytes)] if scale.bytes is not None else said)


def _gate(card: Card) -> str:
    gates = {gate.where: gate.accept for gate in map(card.gate_of, card.sources) if gate is not None}
    said = "; ".join(f"{accept} ({where})" for where, accept in gates.items())
    return f"{said}; another source is open" if gates and not card.is_gated else said or "open"


def _configs(card: Card) -> str:
    names = [f"{name} (default)" if config.default else name for name, config in card.configs.items()]
    return ", ".join(names[:20]) + (f" and {len(names) - 20} more" if len(names) > 20 else "")


def _cost(cost: Estimate) -> str:
    size = f"about {output.size(cost.bytes)}" if cost.bytes else "bytes not known"
    asked = "a request for each clip" if cost.requests is None else f"{cost.requests:,} requests"
    return ", ".join([
        size + (" (by its hours)" if cost.rough else ""),
        "1 request" if cost.requests == 1 else asked,
        f"{cost.hours:,.1f} hours" if cost.hours is not None else "hours not known",
    ])  # fmt: skip


def _said_alive(alive: dict[str, Any] | None) -> str | None:
    if not alive or alive["share"] is None:
        return None
    failed = ", ".join(f"{count:,} {reason}" for reason, count in alive["failed"].items())
    return f"{alive['share']:.1%} of {alive['stored'] + alive['gone']:,} whose fate is known; {failed}"


def _how(card: Card, configs: tuple[str, ...]) -> list[str]:
    """What to type to have it: a command that works as it stands, after what must be accepted before."""
    from ..catalog.pull.batch import open_source

    command = f"triptych catalog pull {card.name}"
    source, _ = open_source(card)
    said: list[str] = []
    if source is None:
        source = next((each for each in card.sources if each.hub is not None), None)
        gate = card.gate_of(source) if source is not None else None
        if source is None or gate is None:
            return [f"pull: {command} --from PATH"]
        said = [f"first: accept {gate.accept} at {gate.where}; then: hf auth login"]
    if source is not card.sources[0]:
        command += (
            f" --source {source.kind}:{source.place}"
            if _is_one_of_several(source, card)
            else f" --source {source.kind}"
        )
    if card.configs and not configs:
        of_source = source.configs
        command += f" --config {next(name for name in card.configs if of_source is None or name in of_source)}"
    return [*said, f"pull: {command} --samples 100"]


def _is_one_of_several(source: SourceCard, card: Card) -> bool:
    return sum(each.kind == source.kind for each in card.sources) > 1


@app.command()
def lint(
    paths: Annotated[list[Path] | None, typer.Argument(help="Card files or folders; all cards without.")] = None,
    cards: CardsOption = None,
    json: JsonOption = False,
) -> None:
    """Check cards against the card model; exit 1 if any has a problem."""
    from ..catalog.registry import lint as lint_cards

    found = lint_cards(paths or [], extra=cards or ())
    problems = [problem for each in found.values() for problem in each]

    def show_problems() -> None:
        for problem in problems:
            output.say(problem)
        output.say(f"{len(found)} cards, {len(problems)} problems")

    output.emit({str(path): each for path, each in found.items()}, as_json=json, show=show_problems)
    if problems:
        raise typer.Exit(1)


app.command()(pull)
app.command()(fetch)
