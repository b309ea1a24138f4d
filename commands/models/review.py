"""`triptych review`: pages on which people judge rows, and what they said."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ...errors import ProblemsFound, amount
from ...trainers.review.options import VERDICTS, MakeOptions, ReadOptions
from .. import completion, output
from ..parameters import JsonOption, StoreOption, takes

if TYPE_CHECKING:
    from ...trainers.review.agreement import Agreement, Share
    from ...trainers.review.calls import ReviewResult
    from ...trainers.review.page import ReviewPage

MAKE_EXAMPLES = """
triptych review make evaluation-list --pred predictions.jsonl --by source
triptych review make cot@v2 --samples 100 --no-embed --out review/chains.html
"""
READ_EXAMPLES = """
triptych review read ann.csv ben.csv
triptych review read ann.csv --no-annotate --json
"""
SHOWN_ROWS = 20


@takes(MakeOptions)
def make(
    options: MakeOptions,
    export: Annotated[
        str | None,
        typer.Argument(metavar="NAME[@vN]", help="An export: the rows that were asked, or are reviewed themselves.",
                       autocompletion=completion.exports),
    ] = None,
    store: StoreOption = None,
    json: JsonOption = False,
) -> None:  # fmt: skip
    """Draw rows at random onto one page with players, on which people judge the answers."""
    from ...trainers.review.calls import review_make_with

    made = review_make_with(export, store, options)
    output.emit(made, as_json=json, show=lambda: _show_page(made))


def _show_page(made: ReviewPage) -> None:
    media = f", {output.size(made.media_bytes)} of media in {made.media_folder}" if made.media_folder else ""
    output.say(f"{made.path}: {made.rows:,} of {amount(made.candidates, 'row')}, {output.size(made.bytes)}{media}")
    for name, (drawn, rows) in list(made.strata.items())[:SHOWN_ROWS]:
        output.say(f"  {made.by} {name or '(none)'}: {drawn:,} of {amount(rows, 'row')}")
    if len(made.strata) > SHOWN_ROWS:
        output.say(f"  ... {len(made.strata) - SHOWN_ROWS:,} more values; --json lists all")
    for what, ids in (
        ("rows have no prediction; shares are of those that have one", made.without_prediction),
        ("predictions answer no row of the export", made.extra),
    ):
        if ids:
            output.note(f"{len(ids):,} {what}; the first is {ids[0]}")
    output.say("open it in a browser, and when it is reviewed: triptych review read FILE.csv")


@takes(ReadOptions)
def read(
    options: ReadOptions,
    files: Annotated[list[Path], typer.Argument(metavar="FILE", help="CSV files that a page saved.")],
    store: StoreOption = None,
    json: JsonOption = False,
) -> None:
    """Read what reviewers said: shares, agreement, annotations; exit 1 if the store lacks a sample."""
    from ...trainers.review.calls import review_read_with

    found = review_read_with(files, store, options)
    output.emit(found, as_json=json, show=lambda: _show_result(found))
    if found.written is not None and found.written.unknown:
        raise typer.Exit(ProblemsFound.exit_code)


def _show_result(found: ReviewResult) -> None:
    rows: list[list[object]] = []
    for each in found.reviewers:
        rows += [[each.reviewer, "all", *_cells(each.shares)]]
        rows += [[each.reviewer, name or "(none)", *_cells(shares)] for name, shares in each.strata.items()]
    output.table(["reviewer", found.by or "rows", "judged", *VERDICTS], rows)
    for each in found.reviewers:
        if each.unjudged:
            lacking = f"{len(each.unjudged):,} of {amount(each.rows, 'row')} without a verdict"
            output.say(f"{each.reviewer}: {lacking}, the first is {each.unjudged[0]}")
    for agreement in found.agreements:
        _show_agreement(agreement)
    for notice in found.notices:
        output.note(notice)
    if (written := found.written) is not None:
        output.say(f"{amount(written.annotations, 'annotation')} written, {written.unchanged:,} there already")
        if written.unknown:
            output.say(
                f"{amount(len(written.unknown), 'row', 'are')} of no sample of the store, the first is "
                f"{written.unknown[0]}"
            )


def _cells(shares: Sequence[Share]) -> list[object]:
    return [shares[0].of, *map(_cell, shares)]


def _cell(share: Share) -> str:
    return "" if share.share is None else f"{share.share:.1%} ({share.low:.1%} to {share.high:.1%}), {share.count:,}"


def _show_agreement(found: Agreement) -> None:
    names = " and ".join(found.reviewers)
    if found.share is None:
        output.say(f"{names}: no row has a verdict of both")
        return
    kappa = "not defined: both gave all rows the same verdict" if found.kappa is None else f"{found.kappa:.3f}"
    output.say(
        f"{names}: agree on {found.agreed:,} of {amount(found.rows, 'row')}, "
        f"{found.share:.1%} ({found.low:.1%} to {found.high:.1%}); Cohen's kappa {kappa}"
    )
    if found.disagreements:
        rows = [
            [each.id, *each.verdicts.values(), "; ".join(f"{name}: {note}" for name, note in each.notes.items())]
            for each in found.disagreements[:SHOWN_ROWS]
        ]
        output.table(["row", *found.reviewers, "notes"], rows)
        if len(found.disagreements) > SHOWN_ROWS:
            output.say(f"... {len(found.disagreements) - SHOWN_ROWS:,} more rows; --json lists all")
