"""`catalog pull` and `catalog fetch`: from hosts to a store or to a mirror."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ...catalog.pull.options import PullOptions
from ...errors import DamagedError, NetworkError, ProblemsFound, TriptychError, UsageError, amount
from .. import completion, output
from ..parameters import JsonOption, StoreOption, takes

if TYPE_CHECKING:
    from ...catalog.fetch import FetchResult
    from ...catalog.pull.batch import PullItem, Skipped
    from ...catalog.pull.plan import PullPlan
    from ...catalog.pull.pull import PullResult

INSTEAD = "Instead of names"
_MOST_SHOWN = 3
"""Damaged files that an error names."""

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
        typer.Option(help="A named set: calibration; --samples applies to each panel.", rich_help_panel=INSTEAD),
    ] = None,
    dry_run: Annotated[bool, typer.Option(help="Show what would be read, and stop.", show_default=False)] = False,
    store: StoreOption = None,
    json: JsonOption = False,
) -> None:
    """Pull samples into the store; a second pull with more --samples adds to them, an identical one does nothing."""
    if (options.evaluation is not None or options.list_file is not None) and (len(names or []) != 1 or dry_run):
        flag = "--list" if options.evaluation is not None else "--list-file"
        raise UsageError(f"{flag} needs exactly one dataset, and no --dry-run.")
    from ...catalog.pull.batch import choose_items

    items, skipped = choose_items(names or (), options, panel=panel, modality=modality, preset=preset)
    for each in skipped:
        output.note(f"{each.name}: skipped: {each.why}")
    for line in _unused(items, options):
        output.note(line)
    if dry_run:
        _dry_run(items, options, store, as_json=json)
        return
    if len(items) == 1:
        result = _pull_one(items[0], options, store)
        output.emit(result, as_json=json, show=lambda: _show_result(result, items[0].samples))
        _exit_code([result])
        return
    _pull_several(items, skipped, options, store, as_json=json)


def _unused(items: list[PullItem], options: PullOptions) -> Iterator[str]:
    """Yield a note for each option that was given and has no effect."""
    from ...catalog.registry import get_card

    if options.subset.seed and not options.subset.is_draw:
        yield "--seed has no effect: it is the seed of a draw (--by hash, --balance or --speakers)"
    given = options.clips.asked_flags()
    for item in items if given else ():
        sites = {source.clip_site for source in get_card(item.name, extra=options.cards).sources} - {""}
        if not sites:
            yield f"{item.name}: {' and '.join(given)} has no effect: it has no clips to download"
        elif "--cookies" in given and "youtube" not in sites:
            yield f"{item.name}: --cookies has no effect: its clips are not on YouTube"


def _pull_several(
    items: list[PullItem], skipped: list[Skipped], options: PullOptions, store: Path | None, *, as_json: bool
) -> None:
    from ...catalog.pull.batch import pull_items

    done = pull_items(items, skipped, lambda item: _pull_one(item, options, store), _tell_failure)
    failed = [{"dataset": name, "error": error.message, "exit": error.exit_code} for name, error in done.failed.items()]
    document = {"pulled": done.pulled, "failed": failed, "passed_over": skipped}
    requested = {item.name: item.samples for item in items}

    def show() -> None:
        for result in done.pulled:
            _show_result(result, requested[result.dataset])
        more = f"; {len(failed)} failed" if failed else ""
        output.say(f"{len(done.pulled)} of {len(items)} datasets pulled{more}")

    output.emit(document, as_json=as_json, show=show)
    if done.failed:
        raise typer.Exit(max(error.exit_code for error in done.failed.values()))
    _exit_code(done.pulled)


def _pull_one(item: PullItem, options: PullOptions, store: Path | None) -> PullResult:
    from ...api import pull_with

    chosen = item.options(options)
    unit = "samples" if item.samples or _counts_clips(item.name, chosen) else "bytes"
    with output.progress(f"pull {item.name}", total=item.samples, unit=unit) as tell:

        def on_samples(stored: int, tried: int) -> None:
            if unit == "samples":
                tell(stored, None)

        def on_bytes(done: int, of: int | None) -> None:
            if unit == "bytes":
                tell(done, of)

        return pull_with(item.name, store, chosen.changed(on_samples=on_samples, on_bytes=on_bytes))


def _counts_clips(name: str, options: PullOptions) -> bool:
    """Whether progress counts the clips of a table rather than the bytes of a file."""
    from ...catalog.registry import get_card
    from ...catalog.schema.source import REMOTE_KINDS

    source = options.source
    kind = source.partition(":")[0] if source else get_card(name, extra=options.cards).sources[0].kind
    return kind in REMOTE_KINDS and options.from_path is None


def _show_result(result: PullResult, samples: int | None) -> None:
    if result.source is None:
        output.say(f"{result.dataset}: {amount(result.stored, 'sample')} stored already; nothing to fetch")
        _show_missing(result)
        if result.unmet_labels:
            output.say(f"  --labels: no candidate has the label {', '.join(result.unmet_labels)}")
        return
    account = result.account
    dropped = ", ".join(f"{count:,} {reason}" for reason, count in sorted(account.dropped.items()))
    outcome = f"{account.kept:,} stored of {account.candidates:,} tried" + (f": {dropped}" if dropped else "")
    output.say(f"{result.dataset}: {outcome}; {result.stored:,} in the store (source: {result.source})")
    if samples is not None and result.stored < samples and result.complete:
        why = f"{result.ended_by} ended the pull" if result.ended_by else "the source has no more"
        why = "all listed ids were found" if result.ended_by == "--ids" else why
        output.say(f"  {samples:,} were requested; {why}")
    _show_missing(result)
    output.say_withdrawn(result.dataset, account)
    _show_advice(account.rejected)
    if account.rejected or account.withdrawn:
        where = f"dataset = '{result.dataset}' and stage = 'pull'"
        output.say(f'  why: triptych query "select candidate, reason, detail from events where {where}"')


def _show_advice(rejected: dict[str, int]) -> None:
    """Print what to do about clips that could not be fetched."""
    from ...catalog.sources.clips.failures import REASONS

    for name, count in rejected.items():
        if name in REASONS and REASONS[name].advice:
            output.say(f"  {count:,} {name}: {REASONS[name].meaning}: {REASONS[name].advice}")


def _show_missing(result: PullResult) -> None:
    if result.missing:
        output.say(f"  {result.missing:,} of the listed ids are not in {result.dataset}")


def _exit_code(results: list[PullResult]) -> None:
    refused = [f"{result.dataset}: {result.wall}" for result in results if result.wall]
    damaged = [f"{result.dataset}: {fault}" for result in results for fault in result.damaged]
    if damaged:
        further = f"; and {len(damaged) - _MOST_SHOWN:,} more" if len(damaged) > _MOST_SHOWN else ""
        raise DamagedError(
            f"{'; '.join(damaged[:_MOST_SHOWN])}{further}. The valid rows before it are stored.",
            hint="get the file again, then pull again",
        )
    if refused:
        output.fault(f"error: {'; '.join(refused)}: the rest was not requested. What arrived before is stored.")
        output.fault("  next: run the same command again later; it continues from there")
        raise typer.Exit(NetworkError.exit_code)
    if any(
        result.missing or result.unmet_labels or (result.account.rejected and not result.reached) for result in results
    ):
        raise typer.Exit(ProblemsFound.exit_code)


def _dry_run(items: list[PullItem], options: PullOptions, store: Path | None, *, as_json: bool) -> None:
    """Show the plans of the datasets that can be planned; fail as the pull of the others would."""
    from ...catalog.pull.plan import plan

    if len(items) == 1:
        planned = plan(items[0].name, store_path=store, options=items[0].options(options))
        output.emit(planned, as_json=as_json, show=lambda: _show_plan(planned))
        return
    plans: list[PullPlan] = []
    failed: list[TriptychError] = []
    for item in items:
        try:
            plans.append(plan(item.name, store_path=store, options=item.options(options)))
        except TriptychError as error:
            failed.append(error)
            _tell_failure(item.name, error)

    def show_plans() -> None:
        for each in plans:
            _show_plan(each)
        if failed:
            output.say(f"{len(plans)} of {len(items)} datasets planned; {len(failed)} failed")

    output.emit(plans, as_json=as_json, show=show_plans)
    if failed:
        raise typer.Exit(max(error.exit_code for error in failed))


def _tell_failure(name: str, error: TriptychError) -> None:
    output.fault(f"{name}: {error.message}" + (f" ({error.hint})" if error.hint else ""))


def _show_plan(plan: PullPlan) -> None:
    wanted = amount(plan.wanted, "sample") if plan.wanted is not None else "everything"
    wanted += f" ({plan.choice})" if plan.choice else ""
    output.say(f"{plan.dataset}: {wanted} wanted, {plan.stored:,} stored; source: {plan.source}")
    rows = [
        [", ".join(each.splits), each.place, output.size(each.bytes), "local" if each.local else "network", each.note]
        for each in plan.units
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
    """Fetch the files of datasets into a mirror, for machines without internet; there: pull --mirror MIRROR."""
    if urls == (to is not None):
        raise UsageError("Give a destination with --to MIRROR, or --urls for a list.")
    if to is None:
        _print_urls(names, options, as_json=json)
        return
    results = [_fetch_one(name, to, options) for name in names]

    def show() -> None:
        for result in results:
            fetched = f"{result.fetched:,} fetched ({output.size(result.bytes)})"
            output.say(f"{result.dataset}: {amount(len(result.files), 'file')} in {result.mirror}, {fetched}")
        output.say(f"there: triptych catalog pull {' '.join(names)} --mirror {to}")

    output.emit(results, as_json=json, show=show)


def _fetch_one(name: str, to: Path, options: PullOptions) -> FetchResult:
    from ...catalog.fetch import fetch as fetch_files

    with output.progress(f"fetch {name}", total=None, unit="bytes") as tell:
        return fetch_files(name, to=to, options=options, progress=tell, on_notice=output.note)


def _print_urls(names: list[str], options: PullOptions, *, as_json: bool) -> None:
    from tempfile import TemporaryDirectory

    from ...catalog.fetch import files_to_fetch

    with TemporaryDirectory() as scratch:
        found = [file for name in names for file in files_to_fetch(name, options=options, scratch=Path(scratch))[1]]
    document = [{"url": file.url, "path": file.key, "sha256": file.expected.sha256, "md5": file.expected.md5}
                for file in found]  # fmt: skip

    def show() -> None:
        for file in found:
            output.say(file.url)

    output.emit(document, as_json=as_json, show=show)
