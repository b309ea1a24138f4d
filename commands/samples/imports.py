"""`triptych import`: tables, folders and shards of your own into the store."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ...converters.imports.formats import FORMATS
from ...converters.imports.options import ImportOptions
from ...errors import ProblemsFound, amount
from .. import completion, output
from ..parameters import JsonOption, StoreOption, takes

if TYPE_CHECKING:
    from ...converters.imports.import_data import ImportResult

EXAMPLES = """
triptych import csv clips.csv --name mine --set task=asr --map recording=audio --map said=text
triptych import folder recordings/ --name mine --set task=asr --set language=en
triptych import webdataset 'train-{000000..000146}.tar' --name shards
"""


@takes(ImportOptions)
def import_(
    options: ImportOptions,
    format: Annotated[str, typer.Argument(help=f"{', '.join(FORMATS)}.", autocompletion=completion.import_formats)],
    path: Annotated[Path, typer.Argument(help="The file or folder to read.")],
    store: StoreOption = None,
    json: JsonOption = False,
) -> None:
    """Import your own data without a card: a table of paths and texts, or a folder of media."""
    from ...api import import_with

    with output.progress(f"import {options.name}", total=None, unit="rows") as tell:
        result = import_with(format, path, store, options, lambda stored, tried: tell(tried, None))
    output.emit(result, as_json=json, show=lambda: _show_import(result))
    if result.account.rejected or result.account.withdrawn or not result.account.candidates:
        raise typer.Exit(ProblemsFound.exit_code)


def _show_import(result: ImportResult) -> None:
    account = result.account
    dropped = ", ".join(f"{count:,} {reason}" for reason, count in sorted(account.dropped.items()))
    updated = f" ({result.updated:,} updated)" if result.updated else ""
    output.say(f"{result.dataset}: {account.kept:,} stored of {amount(account.candidates, 'row')}{updated}" +
               (f": {dropped}" if dropped else ""))  # fmt: skip
    for line in result.notes:
        output.say(f"  - {line}")
    if result.repeated:
        output.say(f"  {result.repeated:,} rows have an id that occurs twice in the input; the first row of it is kept")
    if account.dropped.get("id_conflict", 0) > result.repeated:
        output.say("  rows that have changed since were left as they are; to update them: --on-conflict update")
    output.say_withdrawn(result.dataset, account)
    if account.rejected or account.withdrawn:
        where = f"dataset = '{result.dataset}' and stage = 'import'"
        output.say(f'  why: triptych query "select candidate, reason, detail from events where {where}"')
