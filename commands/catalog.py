"""`triptych catalog`: list, show and lint; pull and fetch are in `pulling.py`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from . import output
from .options import CardsOption, JsonOption, StoreOption, listed
from .pulling import fetch, pull

if TYPE_CHECKING:
    from ..catalog.card import Card
    from ..catalog.estimate import Estimate

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
        from ..catalog.page import datasets_page

        output.say(datasets_page(chosen).rstrip())
        return
    held = _held(store)
    rows = [
        [c.name, c.panel, ", ".join(c.tasks), _languages(c), c.scale.hours, c.license,
         "gated" if c.is_gated else "open", held.get(c.name, 0)]
        for c in chosen
    ]  # fmt: skip
    document = [
        card.model_dump(mode="json") | {"gated": card.is_gated, "stored": held.get(card.name, 0)} for card in chosen
    ]
    columns = ["name", "panel", "tasks", "languages", "hours", "licence", "access", "stored"]
    output.emit(document, as_json=json, show=lambda: output.table(columns, rows))


def _languages(card: Card) -> str:
    """The languages of a card, the first few of many."""
    spoken = list(dict.fromkeys([*card.languages, *(each.language for each in card.configs.values() if each.language)]))
    return ", ".join(spoken[:6]) + (f" and {len(spoken) - 6} more" if len(spoken) > 6 else "")


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
    from ..catalog.estimate import estimate
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
    output.emit(document, as_json=json, show=lambda: _show(card, held, costs, alive))


def _alive(name: str, store: Path | None) -> dict[str, Any] | None:
    """How much of a dataset could still be had when it was asked for, by reason; None where nobody asked yet."""
    from ..shards.store import Store, resolve

    root = resolve(store)
    if not (root / "samples" / "_delta_log").is_dir():
        return None
    from ..catalog.sources.remote import alive

    found = alive(Store(root), name)
    if not found.failed:
        return None
    return {"stored": found.stored, "gone": found.gone, "share": found.share, "failed": found.failed,
            "asked_at": found.asked_at}  # fmt: skip


def _show(card: Card, held: int, costs: dict[str, Estimate], alive: dict[str, Any] | None) -> None:
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
    for what, cost in costs.items():
        output.say(
            f"  {'all of it' if what == 'all' else 'a pull of ' + format(cost.samples or 0, ',')}: {_cost(cost)}"
        )
    for line in (*card.pitfalls, *card.notes):
        output.say(f"  - {line}")
    output.say(f"\npull: triptych catalog pull {card.name} {_how(card)}")


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
    numbers = [
        f"{output.size(cost.bytes)}{' (by its hours)' if cost.rough else ''}" if cost.bytes else "bytes not known",
        f"{cost.requests:,} requests" if cost.requests is not None else "a request for each clip",
        f"{cost.hours:,.1f} hours" if cost.hours is not None else "hours not known",
    ]
    return "about " + ", ".join(numbers)


def _said_alive(alive: dict[str, Any] | None) -> str | None:
    if not alive or alive["share"] is None:
        return None
    failed = ", ".join(f"{count:,} {reason}" for reason, count in alive["failed"].items())
    return f"{alive['share']:.1%} of {alive['stored'] + alive['gone']:,} whose fate is known; {failed}"


def _how(card: Card) -> str:
    if all(source.manual is not None for source in card.sources):
        return "--from PATH"
    needs = card.configs and not any(config.default for config in card.configs.values())
    return f"--config {next(iter(card.configs))} --samples 100" if needs else "--samples 100"


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
