"""`triptych query`: SQL over the store, onto the terminal or into a file."""

from __future__ import annotations

import io
import json as json_format
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TextIO

import typer

from ...errors import UsageError, amount
from .. import output
from ..parameters import JsonOption, StoreOption

if TYPE_CHECKING:
    import pyarrow as pa

SHOWN_ROWS = 100
EXAMPLES = """
triptych query "select dataset, count(*) from samples group by all"
triptych query "select id, text, audio_file from samples" --out texts.csv
"""


def query(
    sql: Annotated[
        str,
        typer.Argument(help="One SELECT over samples, checks, verdicts, annotations, events, runs, exports.versions."),
    ],
    format: Annotated[
        str | None, typer.Option("--format", help="table, csv, json or parquet; default: table, or as --out ends.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Write to a file: .csv, .json or .parquet.")] = None,
    at: Annotated[str | None, typer.Option(help="As of a run id, or a UTC time such as 2026-11-21T10:00:00Z.")] = None,
    store: StoreOption = None,
    json: JsonOption = False,
) -> None:
    """Query the store with SQL (DuckDB)."""
    from ...api import query as query_store

    form = "json" if json else format or (out.suffix[1:] if out is not None else "table")
    if form not in ("table", "csv", "json", "parquet"):
        if format is None:
            raise UsageError(
                f"--out {out}: cannot tell the format from its name.", hint="end it in .csv, .json or .parquet"
            )
        raise UsageError(f"--format takes table, csv, json or parquet, not {format!r}.")
    if out is not None:
        if form == "table":
            raise UsageError("--format table is for reading: --out takes csv, json or parquet.")
        if out.is_dir() or not out.absolute().parent.is_dir():
            raise UsageError(f"--out {out}: it is a folder, or lies in a folder that does not exist.")
    elif form == "parquet" and sys.stdout.isatty():
        raise UsageError("Parquet is binary: write it to a file.", hint="triptych query ... --out rows.parquet")
    result = query_store(sql, store=store, at=at)
    try:
        if out is None:
            _write_result(result, form)
        else:
            _write_file(result, form, out)
            output.note(f"{amount(result.num_rows, 'row')} written to {out}")
    except (OverflowError, ValueError) as error:  # Python's dates end at the years 1 and 9999
        raise UsageError(f"A value cannot be printed: {error}.", hint="cast it: column::VARCHAR") from error


def _write_file(result: pa.Table, form: str, out: Path) -> None:
    """Write the result under a temporary name and rename it, so that a file is whole or not there."""
    scratch = out.with_name(f".{out.name}.{os.getpid()}")
    try:
        with scratch.open("wb") as binary:
            if form == "parquet":
                import pyarrow.parquet as pq

                pq.write_table(result, binary)
            else:
                with io.TextIOWrapper(binary, encoding="utf-8", errors="surrogateescape", newline="") as text:
                    if form == "csv":
                        _write_csv(result, text)
                    else:
                        rows = output.plain(result.to_pylist(maps_as_pydicts="lossy"))
                        json_format.dump(rows, text, ensure_ascii=False, indent=2)
                        text.write("\n")
        scratch.rename(out)
    except (OverflowError, ValueError):
        scratch.unlink(missing_ok=True)
        raise
    except OSError as error:
        scratch.unlink(missing_ok=True)
        raise UsageError(f"--out {out}: {error.strerror}.") from error


def _write_result(result: pa.Table, form: str) -> None:
    if form == "json":
        output.emit(result.to_pylist(maps_as_pydicts="lossy"), as_json=True, show=lambda: None)
    elif form == "table":
        rows = [list(row.values()) for row in result.slice(0, SHOWN_ROWS).to_pylist(maps_as_pydicts="lossy")]
        output.table(result.column_names, rows)
        if result.num_rows > SHOWN_ROWS:
            output.say(
                f"... {result.num_rows - SHOWN_ROWS:,} more rows; all of them with --format csv, json or parquet"
            )
    elif form == "csv":
        _write_csv(result, sys.stdout)
    else:
        import pyarrow.parquet as pq

        pq.write_table(result, sys.stdout.buffer)


def _write_csv(result: pa.Table, file: TextIO) -> None:
    import csv

    # In a file, CSV is data and is written unchanged; a terminal would interpret control characters.
    shown = output.printable if file.isatty() else str
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(result.column_names)
    for batch in result.to_batches(max_chunksize=10_000):
        for row in batch.to_pylist(maps_as_pydicts="lossy"):
            writer.writerow([shown(_csv_cell(value)) for value in row.values()])


def _csv_cell(value: Any) -> Any:
    return value if isinstance(value, str | int | float) else output.cell(value)
