"""`triptych catalog`: list, show, lint, pull."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import DamagedError, ProblemsFound, UsageError
from . import output
from .options import CardsOption, JsonOption, StoreOption, listed

if TYPE_CHECKING:
    from ..catalog.card import Card
    from ..catalog.planning import PullPlan
    from ..catalog.pull import PullResult

app = typer.Typer(
    no_args_is_help=True, add_completion=False, rich_markup_mode=None, help="Datasets by name: look, check, pull."
)


@app.command("list")
def list_cards(
    panel: Annotated[str | None, typer.Option("--panel", "--group", help="S1, S2 or S3.")] = None,
    task: Annotated[str | None, typer.Option(help="asr, captioning, qa ...")] = None,
    language: Annotated[str | None, typer.Option(help="en, zh ...")] = None,
    gated: Annotated[bool | None, typer.Option("--gated/--open", help="Behind a form, or free to pull.")] = None,
    cards: CardsOption = None,
    store: StoreOption = None,
    json: JsonOption = False,
) -> None:
    """The cards, with what is already in the store."""
    from ..catalog.registry import all_cards

    held = _held(store)
    chosen = [
        card
        for card in all_cards(extra=cards or ())
        if (panel is None or card.panel == panel.upper())
        and (task is None or task in card.tasks)
        and (language is None or card.speaks(language))
        and (gated is None or (card.gate is not None) == gated)
    ]
    rows = [
        [c.name, c.panel, ", ".join(c.tasks), ", ".join(c.languages), c.scale.hours, c.license,
         "gated" if c.gate else "open", held.get(c.name, 0)]
        for c in chosen
    ]  # fmt: skip
    document = [card.model_dump(mode="json") | {"stored": held.get(card.name, 0)} for card in chosen]
    columns = ["name", "panel", "tasks", "languages", "hours", "licence", "access", "stored"]
    output.emit(document, as_json=json, show=lambda: output.table(columns, rows))


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
    cards: CardsOption = None,
    store: StoreOption = None,
    json: JsonOption = False,
) -> None:
    """One card: size, licence, gate, sources, splits, pitfalls."""
    from ..catalog.registry import get_card

    card = get_card(name, extra=cards or ())
    held = _held(store).get(name, 0)
    output.emit(card.model_dump(mode="json") | {"stored": held}, as_json=json, show=lambda: _show(card, held))


def _show(card: Card, held: int) -> None:
    output.say(f"{card.name}: {card.title}")
    scale = card.scale
    facts = {
        "panel": f"{card.panel} ({card.modality})",
        "tasks": ", ".join(card.tasks),
        "languages": ", ".join(card.languages),
        "scale": ", ".join(
            f"{value:,.10g} {unit}"
            for value, unit in ((scale.hours, "hours"), (scale.samples, "samples"), (scale.speakers, "speakers"))
            if value is not None
        ),
        "licence": card.license,
        "gate": f"{card.gate.accept} ({card.gate.where})" if card.gate else "open",
        "splits": ", ".join(f"{split} ({role})" if split != role else split for split, role in card.splits.items()),
        "sources": "; ".join(f"{source.kind} {source.place}" for source in card.sources),
        "homepage": card.homepage,
        "citation": card.citation,
        "stored": f"{held:,} samples",
    }
    for key, value in facts.items():
        if value:
            output.say(f"  {key:<10} {value}")
    for line in (*card.pitfalls, *card.notes):
        output.say(f"  - {line}")
    output.say(f"\npull: triptych catalog pull {card.name} --samples 100")


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


@app.command()
def pull(
    names: Annotated[list[str], typer.Argument(help="Names of cards.")],
    samples: Annotated[int | None, typer.Option(min=1, help="Stop at this many stored samples, a dataset.")] = None,
    split: Annotated[list[str] | None, typer.Option(help="Splits or roles; all in the card's order without.")] = None,
    config: Annotated[list[str] | None, typer.Option(help="Configurations: a language, a subset.")] = None,
    source: Annotated[
        str | None, typer.Option(help="hub, archive, urls, youtube, manual or synthetic; hub:PLACE for one of several.")
    ] = None,
    from_path: Annotated[Path | None, typer.Option("--from", help="The archive or unpacked tree you have.")] = None,
    as_config: Annotated[str | None, typer.Option("--as", help="Name of the release that --from holds.")] = None,
    mirror: Annotated[
        str | None, typer.Option(envvar="TRIPTYCH_MIRROR", help="Folder or URL that answers for the hosts.")
    ] = None,
    link: Annotated[bool, typer.Option(help="Name local media where it lies; copy nothing.")] = False,
    keep_raw: Annotated[bool, typer.Option(help="Keep downloads that were read to their end.")] = False,
    dry_run: Annotated[bool, typer.Option(help="Say what would be read, and stop.")] = False,
    cards: CardsOption = None,
    store: StoreOption = None,
    json: JsonOption = False,
) -> None:
    """Raw files to samples in the store; again with more --samples it grows, again with the same it does nothing."""
    if from_path is not None and len(names) > 1:
        raise UsageError("--from is for one dataset at a time.")
    options = {"samples": samples, "split": listed(split), "config": listed(config), "source": source,
               "from_path": from_path, "as_config": as_config, "mirror": mirror, "link": link,
               "keep_raw": keep_raw, "cards": tuple(cards or ())}  # fmt: skip
    if dry_run:
        _dry_run(names, options, store, as_json=json)
        return
    results = [_pull_one(name, options, store) for name in names]
    output.emit(results if len(results) > 1 else results[0], as_json=json, show=lambda: _show_results(results, samples))
    _exit_code(results)


def _pull_one(name: str, options: dict[str, Any], store: Path | None) -> PullResult:
    from ..api import pull as pull_dataset

    unit = "samples" if options["samples"] else "bytes"
    with output.progress(f"pull {name}", total=options["samples"], unit=unit) as tell:

        def on_samples(stored: int, tried: int) -> None:
            if unit == "samples":
                tell(stored, None)

        def on_bytes(done: int, of: int | None) -> None:
            if unit == "bytes":
                tell(done, of)

        return pull_dataset(name, store=store, on_samples=on_samples, on_bytes=on_bytes, **options)


def _show_results(results: list[PullResult], samples: int | None) -> None:
    for result in results:
        if result.source is None:
            output.say(f"{result.dataset}: {result.stored:,} samples stored already; nothing to fetch")
            continue
        account = result.account
        dropped = ", ".join(f"{count:,} {reason}" for reason, count in sorted(account.dropped.items()))
        said = f"{account.kept:,} stored of {account.candidates:,} tried" + (f": {dropped}" if dropped else "")
        output.say(f"{result.dataset}: {said}; {result.stored:,} in the store (source: {result.source})")
        if samples is not None and result.stored < samples:
            output.say(f"  {samples:,} were asked for; the source has no more")
        if account.rejected:
            where = f"dataset = '{result.dataset}' and stage = 'pull'"
            output.say(f'  why: triptych query "select candidate, reason, detail from events where {where}"')


def _exit_code(results: list[PullResult]) -> None:
    damaged = [f"{result.dataset}: {fault}" for result in results for fault in result.damaged]
    if damaged:
        raise DamagedError(
            "; ".join(damaged) + ". The good rows before it are stored.", hint="get the file again, then pull again"
        )
    if any(result.account.rejected and not result.reached for result in results):
        raise typer.Exit(ProblemsFound.exit_code)


def _dry_run(names: list[str], options: dict[str, Any], store: Path | None, *, as_json: bool) -> None:
    from ..catalog.planning import plan
    from ..catalog.pull import PullOptions

    chosen = PullOptions(
        samples=options["samples"],
        splits=options["split"],
        configs=options["config"],
        source=options["source"],
        from_path=options["from_path"],
        as_config=options["as_config"],
        mirror=options["mirror"],
        cards=options["cards"],
    )
    plans = [plan(name, store_path=store, options=chosen) for name in names]

    def show_plans() -> None:
        for each in plans:
            _show_plan(each)

    output.emit(plans if len(plans) > 1 else plans[0], as_json=as_json, show=show_plans)


def _show_plan(plan: PullPlan) -> None:
    wanted = f"{plan.wanted:,} samples" if plan.wanted is not None else "everything"
    output.say(f"{plan.dataset}: {wanted} wanted, {plan.stored:,} stored; source: {plan.source}")
    rows = [
        [", ".join(unit.splits), unit.place, output.size(unit.bytes), "here" if unit.local else "network", unit.note]
        for unit in plan.units
    ]
    output.table(["splits", "reads", "bytes", "from", "note"], rows)
    for line in plan.notes:
        output.say(f"  - {line}")
