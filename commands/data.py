"""`triptych import`, `validate`, `validate-file`, `annotate`, `explain`, `query`."""

from __future__ import annotations

import io
import json as json_format
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TextIO

import typer

from ..converters.imports.formats import FORMATS
from ..converters.imports.options import ImportOptions
from ..errors import ProblemsFound, UsageError
from ..validators.formats import FORMATS as FILE_FORMATS
from . import completion, output
from .parameters import JsonOption, StoreOption, takes

if TYPE_CHECKING:
    import pyarrow as pa

    from ..converters.imports.import_data import ImportResult
    from ..validators.formats.findings import Summary
    from ..validators.validate import DatasetResult

SHOWN_ROWS = 100
IMPORT_EXAMPLES = """
triptych import csv clips.csv --name mine --set task=asr --map recording=audio --map said=text
triptych import folder recordings/ --name mine --set task=asr --set language=en
triptych import webdataset 'train-{000000..000146}.tar' --name shards
"""
VALIDATE_EXAMPLES = """
triptych validate
triptych validate librispeech --report report/
"""
ANNOTATE_EXAMPLES = """
triptych annotate mine/all/clip-1 text "the corrected text"
triptych annotate --from corrections.csv --producer me
triptych annotate mine/all/clip-1 text --clear
"""
QUERY_EXAMPLES = """
triptych query "select dataset, count(*) from samples group by all"
triptych query "select id, text, audio_file from samples" --out texts.csv
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
    from ..api import import_with

    with output.progress(f"import {options.name}", total=None, unit="rows") as tell:
        result = import_with(format, path, store, options, lambda stored, tried: tell(tried, None))
    output.emit(result, as_json=json, show=lambda: _show_import(result))
    if result.account.rejected or result.account.withdrawn or not result.account.candidates:
        raise typer.Exit(ProblemsFound.exit_code)


def _show_import(result: ImportResult) -> None:
    account = result.account
    dropped = ", ".join(f"{count:,} {reason}" for reason, count in sorted(account.dropped.items()))
    updated = f" ({result.updated:,} updated)" if result.updated else ""
    output.say(f"{result.dataset}: {account.kept:,} stored of {account.candidates:,} rows{updated}" +
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


def validate(
    datasets: Annotated[
        list[str] | None, typer.Argument(help="Datasets; default: all.", autocompletion=completion.datasets)
    ] = None,
    rules: Annotated[
        Path | None,
        typer.Option(
            help="A file with your own levels and thresholds, or `default`; default: those that decided last."
        ),
    ] = None,
    list_rules: Annotated[bool, typer.Option("--list-rules", help="List the rules and validate nothing.")] = False,
    report: Annotated[Path | None, typer.Option(help="Write an HTML report into this folder.")] = None,
    data_docs: Annotated[
        bool, typer.Option("--data-docs", help="With --report: also the Data Docs of Great Expectations.")
    ] = False,
    workers: Annotated[int | None, typer.Option(min=1, help="Processes; default: the number of cores.")] = None,
    store: StoreOption = None,
    json: JsonOption = False,
) -> None:
    """Run checks and rules; exit 1 if anything is rejected."""
    from ..api import validate as validate_store

    if list_rules:
        _list_rules(rules, as_json=json)
        return
    with output.progress("validate", total=None, unit="samples") as tell:
        results = validate_store(
            *(datasets or ()), store=store, rules=rules, workers=workers,
            progress=lambda dataset, done, total: tell(done, total),
        )  # fmt: skip
    found = any(result.rejected for result in results)
    if report is not None:
        from ..shards.store.store import Store
        from ..validators.report import report_store

        written = report_store(Store.open(store), report, data_docs=data_docs)
        output.note(f"report: {written.page}")
        for item in written.suite.expectations:
            if not item.passed:
                output.note(f"the whole table: not true that {item.name} ({item.level}): {item.offending_rows:,} rows")
        found = found or not written.suite.passed
    output.emit(results, as_json=json, show=lambda: _show_validation(results))
    if found:
        raise typer.Exit(ProblemsFound.exit_code)


def _list_rules(file: Path | None, *, as_json: bool) -> None:
    from ..validators.rule_choice import given_choice
    from ..validators.rules import load_rules

    choice = given_choice(file)
    rules = [rule.document() for rule in (load_rules() if choice is None else choice.rules).rules]

    def show() -> None:
        shown = ("code", "level", "applies_to", "thresholds", "why")
        output.table([name.replace("_", " ") for name in shown], [[rule[name] for name in shown] for rule in rules])

    output.emit(rules, as_json=as_json, show=show)


def _show_validation(results: list[DatasetResult]) -> None:
    rows = [
        [r.dataset, r.samples, r.verdicts.get("keep", 0), r.verdicts.get("warn", 0), r.rejected, r.measured]
        for r in results
    ]
    output.table(["dataset", "samples", "keep", "warn", "reject", "measured now"], rows)
    reasons = [
        [result.dataset, reason, level, count]
        for result in results
        for (reason, level), count in result.reasons.items()
    ]
    if reasons:
        output.say()
        output.table(["dataset", "reason", "level", "samples"], reasons)
    kept = [result for result in results if result.overrides and not result.rules_given]
    for file in dict.fromkeys(result.rules_file for result in kept):
        names = ", ".join(result.dataset for result in kept if result.rules_file == file)
        output.say(f"\n{names}: by the rules that decided last, of {file}; back to our own: --rules default")
    if any(result.rejected for result in results):
        output.say("\nrejected samples stay in the store but are not exported; show one: triptych explain ID")
        output.say("list them: triptych query \"select id, reasons from verdicts where verdict = 'reject'\"")


def validate_file(
    format: Annotated[str, typer.Argument(help=f"{', '.join(FILE_FORMATS)}.")],
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
    from ..api import validate_file as validate_data_file

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
        output.say()
    if not summary.rows:
        output.say(f"{file} has no rows")
        return
    task = f" {summary.task}" if summary.task else ""
    output.say(
        f"{file}: {summary.rows:,} rows of {summary.format}{task}, "
        f"{summary.errors:,} errors in {summary.rows_with_errors:,} rows, {summary.warnings:,} warnings"
        + (f"; {len(summary.changes):,} rows mended" if summary.changes else "")
    )


def annotate(
    id: Annotated[str | None, typer.Argument(help="A sample's id.")] = None,
    key: Annotated[str | None, typer.Argument(help="text, assigned_split, words, or a key of your own.")] = None,
    value: Annotated[str | None, typer.Argument(help="The value; lists and alignments as JSON.")] = None,
    from_file: Annotated[
        Path | None, typer.Option("--from", help="A CSV file with the columns id, key, value.")
    ] = None,
    producer: Annotated[str | None, typer.Option(help="Who made the annotation; default: you.")] = None,
    clear: Annotated[
        bool, typer.Option("--clear", help="Clear the annotation of KEY: the value from the corpus counts again.")
    ] = False,
    store: StoreOption = None,
    json: JsonOption = False,
) -> None:
    """Annotate a sample: a corrected text, a split, a review. The original values are kept."""
    from ..facts import annotate as annotate_store

    if (from_file is None) == (id is None):
        raise UsageError("annotate needs ID KEY VALUE, or --from FILE.csv.")
    if from_file is None and (key is None or (value is None and not clear)):
        raise UsageError("annotate needs ID KEY VALUE.", hint='triptych annotate ID text "the corrected text"')
    count = annotate_store(from_file or str(id), key, value, store=store, producer=producer, clear=clear)
    done = "cleared" if clear else "written"
    output.emit({"annotations": count}, as_json=json, show=lambda: output.say(f"{count:,} annotations {done}"))


def explain(
    id: Annotated[str, typer.Argument(help="A sample's id, or a rejected candidate.")],
    store: StoreOption = None,
    json: JsonOption = False,
) -> None:
    """Show where a sample came from and what happened to it."""
    from ..api import explain as explain_sample

    life = explain_sample(id, store=store)
    output.emit(life, as_json=json, show=lambda: _show_life(life))


def _show_life(life: dict[str, Any]) -> None:
    output.say(life["id"])
    if life["sample"] is None:
        output.say("  not stored")
    for key, value in (life["sample"] or {}).items():
        if key != "id":
            output.say(f"  {key:<14} {output.cell(value) if not isinstance(value, float | int) else value}")
    for event in life["events"]:
        output.say(f"  {event['stage']}: {event['reason']} ({event.get('detail', '')}), run {event['run_id']}")
    for item in life["annotations"]:
        fact = (
            f"annotated {item['key']} = {output.cell(item['value'])}" if "value" in item else f"cleared {item['key']}"
        )
        output.say(f"  {fact} by {item['producer']}")
    for verdict in life["verdict"]:
        reasons = f" ({', '.join(verdict['reasons'])})" if verdict["reasons"] else ""
        output.say(f"  verdict        {verdict['verdict']}{reasons}")
    for checks in life["checks"]:
        measured = {key: value for key, value in checks.items() if key not in ("revision", "measured_at")}
        for key, value in measured.items():
            output.say(f"  measured {key} = {round(value, 4) if isinstance(value, float) else value}")
    if life["exports"]:
        output.say(f"  in exports     {', '.join(life['exports'])}")


def query(
    sql: Annotated[str, typer.Argument(help="One SELECT over samples, checks, verdicts, annotations, events, runs.")],
    format: Annotated[
        str | None, typer.Option("--format", help="table, csv, json or parquet; default: table, or as --out ends.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Write to a file: .csv, .json or .parquet.")] = None,
    at: Annotated[str | None, typer.Option(help="As of a run id, or a UTC time such as 2026-11-21T10:00:00Z.")] = None,
    store: StoreOption = None,
    json: JsonOption = False,
) -> None:
    """Query the store with SQL (DuckDB)."""
    from ..api import query as query_store

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
            output.note(f"{result.num_rows:,} rows written to {out}")
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


__all__ = ["annotate", "explain", "import_", "query", "validate", "validate_file"]
