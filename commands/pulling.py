"""`catalog pull` and `catalog fetch`: from hosts to a store, and from hosts to a mirror."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import DamagedError, NetworkError, ProblemsFound, TriptychError, UsageError
from . import output
from .options import CardsOption, JsonOption, StoreOption, listed

if TYPE_CHECKING:
    from ..catalog.fetch import FetchResult
    from ..catalog.pull.batch import PullItem, Skipped
    from ..catalog.pull.plan import PullPlan
    from ..catalog.pull.pull import PullOptions, PullResult


def pull(
    names: Annotated[list[str] | None, typer.Argument(help="Names of cards.")] = None,
    samples: Annotated[int | None, typer.Option(min=1, help="Stop at this many stored samples, a dataset.")] = None,
    panel: Annotated[str | None, typer.Option("--panel", "--group", help="All open datasets of S1, S2 or S3.")] = None,
    modality: Annotated[str | None, typer.Option(help="All open datasets of audio, video or mixed.")] = None,
    preset: Annotated[str | None, typer.Option(help="A named set: calibration; --samples is a panel's.")] = None,
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
    ids: Annotated[Path | None, typer.Option(help="Only these: a file of ids, or of id,start,end (seconds).")] = None,
    labels: Annotated[list[str] | None, typer.Option(help='Only with any of these class names: "Dog,Bark".')] = None,
    where: Annotated[str | None, typer.Option(help="Only where this is true of speaker, language, text ...")] = None,
    part: Annotated[str | None, typer.Option(help="Only part I of N, written I/N: for array jobs.")] = None,
    by: Annotated[str | None, typer.Option(help="source: the first ones; hash: a uniform draw that can grow.")] = None,
    balance: Annotated[str | None, typer.Option(help="Draw evenly over the values of language,speaker ...")] = None,
    speakers: Annotated[int | None, typer.Option(min=1, help="Draw from so many speakers only.")] = None,
    hours: Annotated[float | None, typer.Option(help="Stop at so many stored hours.")] = None,
    max_tries: Annotated[int | None, typer.Option(min=1, help="Stop after so many candidates.")] = None,
    seed: Annotated[int, typer.Option(help="Another seed is another draw.")] = 0,
    retry: Annotated[list[str] | None, typer.Option(help="Ask again for clips that are dead, private ...")] = None,
    jobs: Annotated[int, typer.Option(min=1, help="Clips on their way at once (urls, youtube).")] = 4,
    cookies: Annotated[Path | None, typer.Option(help="Cookie file of an account (youtube).")] = None,
    proxy: Annotated[str | None, typer.Option(help="http:// or socks5:// address for clips.")] = None,
    per_minute: Annotated[float | None, typer.Option(help="Most clips a minute from one host.")] = None,
    private_hosts: Annotated[bool, typer.Option(help="Links of tables may lead into your own network.")] = False,
    evaluation: Annotated[
        str | None, typer.Option("--list", help="An evaluation list of the card: its samples and references.")
    ] = None,
    list_file: Annotated[Path | None, typer.Option("--list-file", help="That list, as a file you have.")] = None,
    dry_run: Annotated[bool, typer.Option(help="Say what would be read, and stop.")] = False,
    cards: CardsOption = None,
    store: StoreOption = None,
    json: JsonOption = False,
) -> None:
    """Raw files to samples in the store; again with more --samples it grows, again with the same it does nothing."""
    options = {"split": listed(split), "config": listed(config), "source": source,
               "from_path": from_path, "as_config": as_config, "mirror": mirror, "link": link,
               "keep_raw": keep_raw, "cards": tuple(cards or ()),
               "clips": {"retry": listed(retry), "jobs": jobs, "cookies": cookies, "proxy": proxy,
                         "per_minute": per_minute, "private_hosts": private_hosts},
               "choice": {"ids": ids, "labels": tuple(labels or ()), "where": where, "part": part, "by": by,
                          "balance": balance or (), "speakers": speakers, "hours": hours, "max_tries": max_tries,
                          "seed": seed}}  # fmt: skip
    if evaluation is not None or list_file is not None:
        if len(names or []) != 1 or ids is not None or dry_run:
            raise UsageError("--list is for the pull of one dataset, without --ids and --dry-run.")
        options |= {"evaluation": evaluation, "list_file": list_file}
    orders, passed = _orders(names or [], panel, modality, preset, samples, options)
    for each in passed:
        output.note(f"{each.name}: passed over: {each.why}")
    if dry_run:
        _dry_run(orders, options, store, as_json=json)
        return
    if len(orders) == 1:
        result = _pull_one(orders[0], options, store)
        output.emit(result, as_json=json, show=lambda: _show_result(result, orders[0].samples))
        _exit_code([result])
        return
    _pull_several(orders, passed, options, store, as_json=json)


def _orders(
    names: list[str], panel: str | None, modality: str | None, preset: str | None, samples: int | None,
    options: dict[str, Any],
) -> tuple[list[PullItem], list[Skipped]]:  # fmt: skip
    from ..catalog.pull.batch import PullItem, check_orders, chosen_orders, open_orders, preset_orders

    ways = [bool(names), panel is not None or modality is not None, preset is not None]
    if sum(ways) != 1:
        raise UsageError("say what to pull: names, or --panel and --modality, or --preset.",
                         hint="triptych catalog pull librispeech --samples 100")  # fmt: skip
    if options["from_path"] is not None and len(names) != 1:
        raise UsageError("--from is for one dataset at a time.")
    passed: list[Skipped] = []
    if preset is not None:
        orders, passed = open_orders(
            preset_orders(preset, samples=samples), mirror=options["mirror"], cards=options["cards"]
        )
    elif names:
        orders = [PullItem(name, samples) for name in names]
    else:
        orders, passed = chosen_orders(
            panel=panel, modality=modality, samples=samples, mirror=options["mirror"], cards=options["cards"]
        )
    check_orders(orders, cards=options["cards"])
    return orders, passed


def _pull_several(
    orders: list[PullItem], passed: list[Skipped], options: dict[str, Any], store: Path | None, *, as_json: bool
) -> None:
    """Every dataset in its turn; one that fails does not keep the others from being pulled."""
    results: list[PullResult] = []
    failed: list[tuple[str, TriptychError]] = []
    for order in orders:
        try:
            results.append(_pull_one(order, options, store))
        except TriptychError as error:
            failed.append((order.name, error))
            output.note(f"{order.name}: {error.message}" + (f" ({error.hint})" if error.hint else ""))
    document = {"pulled": results, "failed": [{"dataset": name, "error": error.message, "exit": error.exit_code}
                                              for name, error in failed], "passed_over": passed}  # fmt: skip
    asked = {order.name: order.samples for order in orders}

    def show() -> None:
        for result in results:
            _show_result(result, asked[result.dataset])
        output.say(f"{len(results)} of {len(orders)} datasets pulled" + (f"; {len(failed)} failed" if failed else ""))

    output.emit(document, as_json=as_json, show=show)
    if failed:
        raise typer.Exit(max(error.exit_code for _, error in failed))
    _exit_code(results)


def _of_order(order: PullItem, options: dict[str, Any]) -> dict[str, Any]:
    """The options of one pull: what an order says goes before what was given for all."""
    return options | {
        "samples": order.samples,
        "split": options["split"] or order.splits,
        "config": options["config"] or order.configs,
        "source": options["source"] or order.source,
    }


def _pull_one(order: PullItem, options: dict[str, Any], store: Path | None) -> PullResult:
    from ..api import pull as pull_dataset

    unit = "samples" if order.samples or _is_of_clips(order, options) else "bytes"
    with output.progress(f"pull {order.name}", total=order.samples, unit=unit) as tell:

        def on_samples(stored: int, tried: int) -> None:
            if unit == "samples":
                tell(stored, None)

        def on_bytes(done: int, of: int | None) -> None:
            if unit == "bytes":
                tell(done, of)

        chosen = _of_order(order, options)
        chosen |= chosen.pop("choice") | chosen.pop("clips")
        return pull_dataset(order.name, store=store, on_samples=on_samples, on_bytes=on_bytes, **chosen)


def _is_of_clips(order: PullItem, options: dict[str, Any]) -> bool:
    """Whether a table's clips are counted, rather than the bytes of a file."""
    from ..catalog.registry import get_card
    from ..catalog.schema.source import REMOTE_KINDS

    asked = _of_order(order, options)["source"]
    kind = asked.partition(":")[0] if asked else get_card(order.name, extra=options["cards"]).sources[0].kind
    return kind in REMOTE_KINDS and options["from_path"] is None


def _show_result(result: PullResult, samples: int | None) -> None:
    if result.source is None:
        output.say(f"{result.dataset}: {result.stored:,} samples stored already; nothing to fetch")
        _show_missing(result)
        return
    account = result.account
    dropped = ", ".join(f"{count:,} {reason}" for reason, count in sorted(account.dropped.items()))
    said = f"{account.kept:,} stored of {account.candidates:,} tried" + (f": {dropped}" if dropped else "")
    output.say(f"{result.dataset}: {said}; {result.stored:,} in the store (source: {result.source})")
    if samples is not None and result.stored < samples and result.complete:
        output.say(f"  {samples:,} were asked for; the source has no more")
    _show_missing(result)
    _show_advice(account.rejected)
    if account.rejected:
        where = f"dataset = '{result.dataset}' and stage = 'pull'"
        output.say(f'  why: triptych query "select candidate, reason, detail from events where {where}"')


def _show_advice(rejected: dict[str, int]) -> None:
    """What can be done about clips that were not to be had."""
    from ..catalog.sources.clips.failures import REASONS

    for name, count in rejected.items():
        if name in REASONS and REASONS[name].then:
            output.say(f"  {count:,} {name}: {REASONS[name].says}: {REASONS[name].then}")


def _show_missing(result: PullResult) -> None:
    if result.missing:
        output.say(f"  {result.missing:,} of the listed ids are not in {result.dataset}")


def _exit_code(results: list[PullResult]) -> None:
    walled = [f"{result.dataset}: {result.wall}" for result in results if result.wall]
    damaged = [f"{result.dataset}: {fault}" for result in results for fault in result.damaged]
    if damaged:
        raise DamagedError(
            "; ".join(damaged) + ". The good rows before it are stored.", hint="get the file again, then pull again"
        )
    if walled:
        output.note(f"error: {'; '.join(walled)}: the rest was not asked. What came is stored.")
        output.note("  next: run the same command again later; it goes on from there")
        raise typer.Exit(NetworkError.exit_code)
    if any(result.missing or (result.account.rejected and not result.reached) for result in results):
        raise typer.Exit(ProblemsFound.exit_code)


def _dry_run(orders: list[PullItem], options: dict[str, Any], store: Path | None, *, as_json: bool) -> None:
    from ..catalog.pull.plan import plan

    plans = [plan(order.name, store_path=store, options=_planned_options(order, options)) for order in orders]

    def show_plans() -> None:
        for each in plans:
            _show_plan(each)

    output.emit(plans if len(plans) > 1 else plans[0], as_json=as_json, show=show_plans)


def _show_plan(plan: PullPlan) -> None:
    wanted = f"{plan.wanted:,} samples" if plan.wanted is not None else "everything"
    wanted += f" ({plan.choice})" if plan.choice else ""
    output.say(f"{plan.dataset}: {wanted} wanted, {plan.stored:,} stored; source: {plan.source}")
    rows = [
        [", ".join(unit.splits), unit.place, output.size(unit.bytes), "here" if unit.local else "network", unit.note]
        for unit in plan.units
    ]
    output.table(["splits", "reads", "bytes", "from", "note"], rows)
    for line in plan.notes:
        output.say(f"  - {line}")


def _planned_options(order: PullItem, options: dict[str, Any]) -> PullOptions:
    from ..catalog.pull.pull import PullOptions
    from ..catalog.sources.clips.options import ClipOptions
    from ..catalog.subset import Subset

    chosen = _of_order(order, options)
    return PullOptions(
        samples=order.samples,
        splits=chosen["split"],
        configs=chosen["config"],
        source=chosen["source"],
        from_path=chosen["from_path"],
        as_config=chosen["as_config"],
        mirror=chosen["mirror"],
        cards=chosen["cards"],
        remote=ClipOptions(jobs=chosen["clips"]["jobs"]),
        selection=Subset.parse(samples=order.samples, **chosen["choice"]),
    )


def fetch(
    names: Annotated[list[str], typer.Argument(help="Names of cards.")],
    to: Annotated[Path | None, typer.Option("--to", help="The mirror to write: <host>/<path> and mirror.yaml.")] = None,
    urls: Annotated[bool, typer.Option("--urls", help="Only print the URLs, for a download tool.")] = False,
    split: Annotated[list[str] | None, typer.Option(help="Splits or roles; all without.")] = None,
    config: Annotated[list[str] | None, typer.Option(help="Configurations; the default ones without.")] = None,
    source: Annotated[str | None, typer.Option(help="A kind, or kind:PLACE; the card's first without.")] = None,
    cards: CardsOption = None,
    json: JsonOption = False,
) -> None:
    """The files of datasets into a mirror, for machines without internet; there: pull --mirror MIRROR."""
    from ..catalog.pull.pull import PullOptions

    if urls == (to is not None):
        raise UsageError("say where to: --to MIRROR, or --urls for a list.")
    options = PullOptions(splits=listed(split), configs=listed(config), source=source, cards=tuple(cards or ()))
    if to is None:
        _print_urls(names, options, as_json=json)
        return
    results = [_fetch_one(name, to, options) for name in names]

    def show() -> None:
        for result in results:
            came = f"{result.fetched:,} fetched ({output.size(result.bytes)})"
            output.say(f"{result.dataset}: {len(result.files):,} files in {result.mirror}, {came}")
        output.say(f"there: triptych catalog pull {' '.join(names)} --mirror {to}")

    output.emit(results, as_json=json, show=show)


def _fetch_one(name: str, to: Path, options: PullOptions) -> FetchResult:
    from ..catalog.fetch import fetch as fetch_files

    with output.progress(f"fetch {name}", total=None, unit="bytes") as tell:
        return fetch_files(name, to=to, options=options, progress=tell, on_notice=output.note)


def _print_urls(names: list[str], options: PullOptions, *, as_json: bool) -> None:
    from tempfile import TemporaryDirectory

    from ..catalog.fetch import files_to_fetch

    with TemporaryDirectory() as scratch:
        found = [wish for name in names for wish in files_to_fetch(name, options=options, scratch=Path(scratch))[1]]
    document = [{"url": wish.url, "path": wish.key, "sha256": wish.expected.sha256, "md5": wish.expected.md5}
                for wish in found]  # fmt: skip

    def show() -> None:
        for wish in found:
            output.say(wish.url)

    output.emit(document, as_json=as_json, show=show)
