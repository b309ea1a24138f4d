"""`triptych validate-file`: a file against the rules of the program that is to read it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ...errors import ProblemsFound, amount
from ...validators.formats import FORMATS
from .. import output
from ..parameters import JsonOption

if TYPE_CHECKING:
    from ...validators.formats.findings import Summary

SHOWN_ROWS = 100


def validate_file(
    format: Annotated[str, typer.Argument(help=f"{', '.join(FORMATS)}.")],
    file: Annotated[Path, typer.Argument(help="JSON lines, a JSON array or Parquet; of webdataset also a tar shard.")],
    task: Annotated[
        str | None, typer.Option(help="sft, grpo, dpo, kto or pretrain; default: detected from the rows.")
    ] = None,
    fix: Annotated[
        Path | None,
        typer.Option(
            help="Write a copy, as JSON Lines, with everything put right that cannot be meant otherwise, show "
            "how its rows differ, and check the copy."
        ),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Check an export or a hand-made file against its consumer's rules; exit 1 if the consumer would lose a row."""
    from ...api import validate_file as validate_data_file

    summary = validate_data_file(format, file, task=task, fix=fix)
    output.emit(summary, as_json=json, show=lambda: _show_summary(fix or file, summary))
    if not summary.passed or not summary.rows:
        raise typer.Exit(ProblemsFound.exit_code)


def _show_summary(file: Path, summary: Summary) -> None:
    for change in summary.changes[:SHOWN_ROWS]:
        output.say(f"row {change.row}: {', '.join(change.codes)}\n- {change.before}\n+ {change.after}")
    if len(summary.changes) > SHOWN_ROWS:
        output.say(f"... {len(summary.changes) - SHOWN_ROWS:,} more rows; --json lists all")
    if summary.examples:
        rows = [
            [f.row, f.severity, f.stage, f.code, f.column or "", f.value or "",
             f"{f.message}; mend: {f.mend}" if f.mend else f.message]
            for f in summary.examples
        ]  # fmt: skip
        output.table(["row", "severity", "stage", "code", "column", "value", "message"], rows)
        for code, count in summary.counts.items():
            if count > summary.examples_per_code:
                output.say(f"... {count - summary.examples_per_code:,} more {code}, of {count:,}")
        output.say()
    if not summary.rows:
        output.say(f"{file} has no rows")
        return
    task = f" {summary.task}" if summary.task else ""
    output.say(
        f"{file}: {amount(summary.rows, 'row')} of {summary.format}{task}, "
        f"{amount(summary.errors, 'error')} in {amount(summary.rows_with_errors, 'row')}, "
        f"{amount(summary.warnings, 'warning')}"
        + (f"; {amount(len(summary.changes), 'row')} mended" if summary.changes else "")
    )
