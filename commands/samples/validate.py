"""`triptych validate`: checks and rules over the samples of the store."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ...errors import ProblemsFound, amount
from .. import completion, output
from ..parameters import JsonOption, StoreOption

if TYPE_CHECKING:
    from ...validators.validate import DatasetResult

EXAMPLES = """
triptych validate
triptych validate librispeech --report report/
"""


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
    from ...api import validate as validate_store

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
        from ...shards.store.store import Store
        from ...validators.report import report_store

        written = report_store(Store.open(store), report, data_docs=data_docs)
        output.note(f"report: {written.page}")
        for item in written.suite.expectations:
            if not item.passed:
                rows = amount(item.offending_rows, "row")
                output.note(f"the whole table: not true that {item.name} ({item.level}): {rows}")
        found = found or not written.suite.passed
    output.emit(results, as_json=json, show=lambda: _show_validation(results))
    if found:
        raise typer.Exit(ProblemsFound.exit_code)


def _list_rules(file: Path | None, *, as_json: bool) -> None:
    from ...validators.rule_choice import given_choice
    from ...validators.rules import load_rules

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
