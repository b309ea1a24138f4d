"""`triptych align`: word and phone times of samples that have none."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from ...converters.annotations.align.options import AlignOptions
from ...errors import ProblemsFound, amount
from .. import completion, output
from ..parameters import JsonOption, StoreOption, takes

if TYPE_CHECKING:
    from ...converters.annotations.align.align import AlignResult

EXAMPLES = """
triptych align librispeech
triptych align mine --language en --dictionary names.dict
triptych align mine --aligner mfa
"""


@takes(AlignOptions)
def align(
    options: AlignOptions,
    datasets: Annotated[
        list[str] | None, typer.Argument(help="Datasets; default: all.", autocompletion=completion.datasets)
    ] = None,
    store: StoreOption = None,
    json: JsonOption = False,
) -> None:
    """Find word and phone times of samples that have none, with an aligner; exit 1 if some cannot be aligned."""
    from ...facts import align_with

    with output.progress("align", total=None, unit="samples") as tell:
        results = align_with(datasets or (), store, options, lambda dataset, done, total: tell(done, total))
    output.emit(results, as_json=json, show=lambda: _show_aligned(results))
    if any(result.account.rejected for result in results):
        raise typer.Exit(ProblemsFound.exit_code)


def _show_aligned(results: list[AlignResult]) -> None:
    for result in results:
        account = result.account
        dropped = ", ".join(f"{count:,} {reason}" for reason, count in sorted(account.dropped.items()))
        line = f"{result.dataset}: {account.kept:,} aligned of {amount(account.candidates, 'sample')}"
        output.say(line + (f": {dropped}" if dropped else ""))
        if result.timed:
            output.say(f"  {result.timed:,} more had word times already")
        if result.silent:
            output.say(f"  {result.silent:,} others have no transcript, or no sound of their own")
        if account.rejected:
            where = f"dataset = '{result.dataset}' and stage = 'align'"
            output.say(f'  why: triptych query "select candidate, reason, detail from events where {where}"')
