"""`catalog pull` and `catalog fetch`: from hosts to a store, and from hosts to a mirror."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..catalog.pull.options import PullOptions
from ..errors import DamagedError, NetworkError, ProblemsFound, TriptychError, UsageError
from . import completion, output
from .parameters import JsonOption, StoreOption, takes

if TYPE_CHECKING:
    from ..catalog.fetch import FetchResult
    from ..catalog.pull.batch import PullItem, Skipped
    from ..catalog.pull.plan import PullPlan
    from ..catalog.pull.pull import PullResult

INSTEAD = "In place of names"


PULL_EXAMPLES = """
triptych catalog pull librispeech --samples 1000
triptych catalog pull librispeech --samples 1000 --by hash --split train
triptych catalog pull aishell1 --from ~/downloads/data_aishell.tgz
triptych catalog pull --panel S1 --samples 100 --dry-run
"""
FETCH_EXAMPLES = """
triptych catalog fetch librispeech --split test --to /shared/mirror
triptych catalog pull librispeech --split test --mirror /shared/mirror
"""


@takes(PullOptions)
def pull(
    options: PullOptions,
    names: Annotated[list[str] | None, typer.Argument(help="Names of cards.", autocompletion=completion.cards)] = None,
    panel: Annotated[
        str | None,
        typer.Option("--panel", "--group", help="All open datasets of S1, S2 or S3.", rich_help_panel=INSTEAD),
    ] = None,
    modality: Annotated[
        str | None, typer.Option(help="All open datasets of audio, video or mixed.", rich_help_panel=INSTEAD)
    ] = None,
    preset: Annotated[
        str | None,
        typer.Option(help="A named set: calibration; --samples is for each panel.", rich_help_panel=INSTEAD),
    ] = None,
    dry_run: Annotated[bool, typer.Option(help="Say what would be read, and stop.", show_default=False)] = False,
    store: StoreOption = None,
    json: JsonOption = False,
) -> None:
    """Raw files to samples in the store; again with more --samples it grows, again with the same it does nothing."""
    if (options.evaluation is not None or options.list_file is not None) and (len(names or []) != 1 or dry_run):
        raise UsageError("--list is for the pull of one dataset, without --dry-run.")
    from ..catalog.pull.batch import choose_items

    items, skipped = choose_items(names or (), options, panel=panel, modality=modality, preset=preset)
    for each in skipped:
        output.note(f"{each.name}: skipped: {each.why}")
    if dry_run:
        _dry_run(items, options, store, as_json=json)
        return
    if len(items) == 1:
        result = _pull_one(items[0], options, store)
        output.emit(result, as_json=json, show=lambda: _show_result(result, items[0].samples))
        _exit_code([result])
        return
    _pull_several(items, skipped, options, store, as_json=json)


def _pull_several(
    items: list[PullItem], skipped: list[Skipped], options: PullOptions, store: Path | None, *, as_json: bool
) -> None:
    from ..catalog.pull.batch import pull_items

    def tell(name: str, error: TriptychError) -> None:
        output.fault(f"{name}: {error.message}" + (f" ({error.hint})" if error.hint else ""))

    done = pull_items(items, skipped, lambda item: _pull_one(item, options, store), tell)
    failed = [{"dataset": name, "error": error.message, "exit": error.exit_code} for name, error in done.failed.items()]
    document = {"pulled": done.pulled, "failed": failed, "passed_over": skipped}
    asked = {item.name: item.samples for item in items}

    def show() -> None:
        for result in done.pulled:
            _show_result(result, asked[result.dataset])
        more = f"; {len(failed)} failed" if failed else ""
        output.say(f"{len(done.pulled)} of {len(items)} datasets pulled{more}")

    output.emit(document, as_json=as_json, show=show)
    if done.failed:
        raise typer.Exit(max(error.exit_code for error in done.failed.values()))
    _exit_code(done.pulled)


def _pull_one(item: PullItem, options: PullOptions, store: Path | None) -> PullResult:
    from ..api import pull_with

    chosen = item.options(options)
    unit = "samples" if item.samples or _is_of_clips(item.name, chosen) else "bytes"
    with output.progress(f"pull {item.name}", total=item.samples, unit=unit) as tell:

        def on_samples(stored: int, tried: int) -> None:
            if unit == "samples":
                tell(stored, None)

        def on_bytes(done: int, of: int | None) -> None:
            if unit == "bytes":
                tell(done, of)

        return pull_with(item.name, store, chosen.changed(on_samples=on_samples, on_bytes=on_bytes))


def _is_of_clips(name: str, options: PullOptions) -> bool:
    """Whether a table's clips are counted, rather than the bytes of a file."""
    from ..catalog.registry import get_card
    from ..catalog.schema.source import REMOTE_KINDS

    asked = options.source
    kind = asked.partition(":")[0] if asked else get_card(name, extra=options.cards).sources[0].kind
    return kind in REMOTE_KINDS and options.from_path is None


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
        if name in REASONS and REASONS[name].advice:
            output.say(f"  {count:,} {name}: {REASONS[name].meaning}: {REASONS[name].advice}")


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
        output.fault(f"error: {'; '.join(walled)}: the rest was not asked. What came is stored.")
        output.fault("  next: run the same command again later; it goes on from there")
        raise typer.Exit(NetworkError.exit_code)
    if any(result.missing or (result.account.rejected and not result.reached) for result in results):
        raise typer.Exit(ProblemsFound.exit_code)


def _dry_run(items: list[PullItem], options: PullOptions, store: Path | None, *, as_json: bool) -> None:
    from ..catalog.pull.plan import plan

    plans = [plan(item.name, store_path=store, options=item.options(options)) for item in items]

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


@takes(PullOptions, only=("split", "config", "source", "cards"))
def fetch(
    options: PullOptions,
    names: Annotated[list[str], typer.Argument(help="Names of cards.", autocompletion=completion.cards)],
    to: Annotated[Path | None, typer.Option("--to", help="The mirror to write: <host>/<path> and mirror.yaml.")] = None,
    urls: Annotated[bool, typer.Option("--urls", help="Only print the URLs, for a download tool.")] = False,
    json: JsonOption = False,
) -> None:
    """The files of datasets into a mirror, for machines without internet; there: pull --mirror MIRROR."""
    if urls == (to is not None):
        raise UsageError("say where to: --to MIRROR, or --urls for a list.")
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
