"""`triptych split`: splits in which no speaker, session or video is in two of them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ...converters.annotations.split.options import SplitOptions
from ...errors import ProblemsFound, UsageError, amount
from .. import completion, output
from ..parameters import JsonOption, StoreOption, takes

if TYPE_CHECKING:
    from ...converters.annotations.split.check import SplitCheck
    from ...converters.annotations.split.split import SplitResult

EXAMPLES = """
triptych split librispeech --by speaker
triptych split --by source_video --shares train=90,validation=5,test=5 --ungrouped own
triptych split mine --by "extra['room']" --stratify language --balance rows
triptych split --check
"""


@takes(SplitOptions)
def split(
    options: SplitOptions,
    datasets: Annotated[
        list[str] | None, typer.Argument(help="Datasets; default: all.", autocompletion=completion.datasets)
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Assign nothing; check that each group is still in one split.")
    ] = False,
    store: StoreOption = None,
    json: JsonOption = False,
) -> None:
    """Assign splits in which no speaker, session or video is in two of them; exports then keep to them."""
    if check:
        _check(datasets or [], options, store, as_json=json)
        return
    from ...converters.annotations.split.calls import split_with

    result = split_with(datasets or [], store, options)
    output.emit(result, as_json=json, show=lambda: _show_result(result))


def _show_result(result: SplitResult) -> None:
    rows = [
        [name, facts["groups"], facts["samples"], f"{facts['hours']:.2f}", _percent(facts.get("share")),
         _percent(facts.get("reached"))]
        for name, facts in result.splits.items()
    ]  # fmt: skip
    output.table(["split", "groups", "samples", "hours", "asked", "reached"], rows)
    output.say(f"{amount(result.assigned, 'sample')} assigned, {result.unchanged:,} unchanged")
    for note in result.notes:
        output.say(f"  - {note}")
    output.say(f"certificate: {result.certificate}")


def _percent(share: float | None) -> str:
    return "" if share is None else f"{share:.1%}"


def _check(datasets: list[str], options: SplitOptions, store: Path | None, *, as_json: bool) -> None:
    from ...converters.annotations.split.calls import check_splits

    if given := options.asked_flags():
        raise UsageError(f"--check assigns nothing: remove {' and '.join(given)}.")
    found = check_splits(datasets, store=store)
    output.emit(found, as_json=as_json, show=lambda: _show_checks(found))
    if not all(each.holds for each in found):
        raise typer.Exit(ProblemsFound.exit_code)


def _show_checks(found: list[SplitCheck]) -> None:
    if not found:
        output.say("no sample has a split that `triptych split` assigned")
    for each in found:
        state = "ok" if each.holds else f"{amount(each.broken_groups, 'group', 'are')} in two splits"
        samples, groups = amount(each.samples, "sample"), amount(each.groups, "group")
        output.say(f"{each.kind}: {state}; {samples} in {groups} by {each.by} of {', '.join(each.datasets)}")
        if not each.holds:
            lead = ", the first are " if each.broken_samples > len(each.first) else ": "
            output.say(f"  {amount(each.broken_samples, 'sample')}{lead}{', '.join(each.first)}")
        if each.unassigned:
            output.say(f"  {each.unassigned:,} samples of these datasets have no assigned split")
        if not each.holds or each.unassigned:
            output.say(f"  next: {each.command}")
