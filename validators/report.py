"""The report of a validation: one self-contained HTML page.

It shows what is kept, warned about and rejected, by dataset and reason, with a histogram of lengths, and example
rejected samples with the measurements that caused it. The page loads nothing (its own policy forbids it), runs no
script, and escapes all text from data. Great Expectations' Data Docs may be stored beside it.

`collect` reads the numbers from DuckDB; `write_report` renders them with the Jinja template `report.html`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import UsageError
from ..shards.query import connect
from ..shards.store.sql import quote
from ..shards.store.store import Store
from .checks import COLUMNS
from .repeats import NO_REPEATS
from .rule_choice import RecordedChoices, given_choice
from .rules import RuleSet, joined_sql, load_rules
from .suite import SuiteResult, frame_sql, run_suite

if TYPE_CHECKING:
    import duckdb
    import jinja2

EDGES = (0.0, 1.0, 2.0, 3.0, 5.0, 7.5, 10.0, 15.0, 20.0, 30.0, 60.0, 120.0, 300.0)
"""Left edges of the bins of the histogram of lengths, in seconds; the last bin is open-ended."""

EXAMPLES = 5
"""Rejected samples shown for each reason of a dataset."""


@dataclass(frozen=True, slots=True)
class Example:
    """One rejected sample: the reason, and the measurements that its rule uses."""

    id: str
    reason: str
    values: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class DatasetSummary:
    """The counts of one dataset. `lengths` counts samples by the bins of `EDGES`; `hours` is the sum of all lengths.

    `rule_set` is the hash of the rules that decided, `levels` the level of each of them.
    """

    name: str
    keep: int
    warn: int
    reject: int
    hours: float
    reasons: Mapping[str, int]
    lengths: Sequence[int] = ()
    examples: Sequence[Example] = field(default_factory=tuple)
    rule_set: str = ""
    levels: Mapping[str, str] = field(default_factory=dict)

    @property
    def samples(self) -> int:
        """The number of samples that have a verdict."""
        return self.keep + self.warn + self.reject

    def examples_of(self, reason: str) -> list[Example]:
        """Return the samples shown for one reason."""
        return [example for example in self.examples if example.reason == reason]


def collect(
    connection: duckdb.DuckDBPyConnection, rules: RuleSet, *, verdicts: str = "verdicts", measured: str = "measured"
) -> list[DatasetSummary]:
    """Summarise verdicts by dataset.

    Args:
        connection: The connection that has the relations.
        rules: The rule set of the verdicts.
        verdicts: The table of verdicts, as returned by `rules.decide`.
        measured: The relation that the rules were applied to, such as `rules.joined_sql()`.
    """
    counts = connection.execute(
        f"SELECT dataset, count(*) FILTER (verdict = 'keep'), count(*) FILTER (verdict = 'warn'),"
        f" count(*) FILTER (verdict = 'reject') FROM {verdicts} GROUP BY dataset ORDER BY dataset"
    ).fetchall()
    reasons: dict[str, dict[str, int]] = {}
    for dataset, reason, rows in connection.execute(
        f"SELECT dataset, reason, count(*) FROM (SELECT dataset, unnest(reasons) AS reason FROM {verdicts})"
        " GROUP BY ALL ORDER BY 3 DESC, 2"
    ).fetchall():
        reasons.setdefault(dataset, {})[reason] = rows
    lengths, hours = _lengths(connection, measured)
    examples = _examples(connection, rules, verdicts, measured)
    return [
        DatasetSummary(
            name=dataset, keep=keep, warn=warn, reject=reject, hours=hours.get(dataset, 0.0),
            reasons=reasons.get(dataset, {}), lengths=lengths.get(dataset, ()), examples=examples.get(dataset, ()),
            rule_set=rules.hash, levels={rule.code: rule.level for rule in rules.rules},
        )
        for dataset, keep, warn, reject in counts
    ]  # fmt: skip


def _lengths(connection: duckdb.DuckDBPyConnection, measured: str) -> tuple[dict[str, list[int]], dict[str, float]]:
    edges = ", ".join(map(str, EDGES))
    bins: dict[str, list[int]] = {}
    hours: dict[str, float] = {}
    for dataset, position, rows, seconds in connection.execute(
        f"SELECT dataset, len([e FOR e IN [{edges}] IF e <= clip_s]), count(*), sum(clip_s) FROM {measured}"
        " WHERE clip_s >= 0 GROUP BY ALL"
    ).fetchall():
        bins.setdefault(dataset, [0] * len(EDGES))[position - 1] += rows
        hours[dataset] = hours.get(dataset, 0.0) + seconds / 3600
    return bins, hours


def _examples(
    connection: duckdb.DuckDBPyConnection, rules: RuleSet, verdicts: str, measured: str
) -> dict[str, list[Example]]:
    columns = ["text", *COLUMNS]
    shown = {rule.code: [name for name in columns if re.search(rf"\b{name}\b", rule.when)] for rule in rules.rules}
    rejecting = rules.codes("reject")
    rows = connection.execute(
        f"WITH one AS (SELECT id, dataset, unnest(reasons) AS reason FROM {verdicts} WHERE verdict = 'reject'),"
        " first AS (SELECT *, row_number() OVER (PARTITION BY dataset, reason ORDER BY id) AS place FROM one"
        " WHERE list_contains($rejecting, reason))"
        f" SELECT f.dataset, f.reason, f.id, {', '.join(f'm.{name}' for name in columns)} FROM first AS f"
        f" JOIN {measured} AS m ON m.id = f.id AND m.dataset = f.dataset"
        f" WHERE place <= {EXAMPLES} ORDER BY f.dataset, f.reason, f.id",
        {"rejecting": rejecting},
    ).fetchall()
    found: dict[str, list[Example]] = {}
    for dataset, reason, name, *values in rows:
        by_name = dict(zip(columns, values, strict=True))
        used = {column: by_name[column] for column in shown.get(reason, ()) if by_name[column] is not None}
        found.setdefault(dataset, []).append(Example(name, reason, used))
    return found


def write_report(
    directory: Path,
    datasets: Sequence[DatasetSummary],
    rules: RuleSet,
    *,
    suite: SuiteResult | None = None,
    title: str = "Validation report",
) -> Path:
    """Write `index.html` into a folder and return its path.

    Args:
        directory: Created if it does not exist.
        datasets: The result of `collect`.
        rules: For the meaning of each reason.
        suite: Expectations of the whole table; its Data Docs are linked if they are under `directory`.
        title: The page's heading.
    """
    directory.mkdir(parents=True, exist_ok=True)
    page = directory / "index.html"
    text = _template().render(
        title=title,
        made_at=datetime.now(UTC),
        rule_set=", ".join(dict.fromkeys(item.rule_set[:12] for item in datasets if item.rule_set)) or rules.hash[:12],
        datasets=datasets,
        total=_total(datasets),
        edges=EDGES,
        why=rules.why,
        suite=suite,
        docs=_docs_link(suite, directory),
    )
    page.write_text(text, encoding="utf-8")
    return page


def _template() -> jinja2.Template:
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("triptych.validators", "."),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
    )
    environment.filters["number"] = "{:,}".format
    environment.filters["shortened"] = _shortened
    environment.filters["first_few"] = lambda items: items[:EXAMPLES]
    return environment.get_template("report.html")


def _total(datasets: Sequence[DatasetSummary]) -> DatasetSummary:
    return DatasetSummary(
        name="all", keep=sum(item.keep for item in datasets), warn=sum(item.warn for item in datasets),
        reject=sum(item.reject for item in datasets), hours=sum(item.hours for item in datasets), reasons={},
    )  # fmt: skip


def _docs_link(suite: SuiteResult | None, directory: Path) -> str | None:
    """Return the relative link to the Data Docs; None if they are elsewhere."""
    if suite is None or suite.docs is None or not suite.docs.resolve().is_relative_to(directory.resolve()):
        return None
    return suite.docs.resolve().relative_to(directory.resolve()).as_posix()


def _shortened(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    text = str(value)
    return text if len(text) <= 200 else text[:199] + "…"


@dataclass(frozen=True, slots=True)
class Report:
    """The page of a report, and the expectations of the whole table that it shows."""

    page: Path
    suite: SuiteResult


def report_store(store: Store, directory: Path, *, rules_file: Path | None = None, data_docs: bool = False) -> Report:
    """Write the report of everything validated in a store: the page, and if asked for the Data Docs beside it.

    Args:
        rules_file: The rules that must have decided; default: those that did.

    Raises:
        UsageError: Other rules decided on a dataset, so its verdicts would be shown with the wrong levels.
    """
    summaries: list[DatasetSummary] = []
    given = given_choice(rules_file)
    with connect(store) as connection:
        recorded = RecordedChoices(connection)
        for dataset, decided in recorded.decided().items():
            rule_set = decided["rule_set"]
            rules = (given or recorded.of(dataset)).rules
            if rules.hash != rule_set:
                raise UsageError(
                    f"The verdicts on {dataset} are of other rules ({rule_set[:12]}) than those to report on "
                    f"({rules.hash[:12]}).",
                    hint="decide again: triptych validate" + (f" --rules {rules_file}" if rules_file else ""),
                )
            one = f"(SELECT * FROM {{}} WHERE dataset = {quote(dataset)})"
            measured = joined_sql(one.format("samples"), one.format("checks"), NO_REPEATS)
            summaries += collect(connection, rules, verdicts=one.format("verdicts"), measured=measured)
        frame = connection.sql(frame_sql()).df()
    suite = run_suite(frame, docs=directory / "data_docs" if data_docs else None)
    page = write_report(directory, summaries, load_rules(), suite=suite, title=f"Validation of {store.root.name}")
    return Report(page, suite)
