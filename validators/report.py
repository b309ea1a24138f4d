"""The report of a validation: one HTML page that needs nothing but itself.

What is kept, warned of and rejected, dataset by dataset and reason by reason, with lengths as a histogram and rejected
samples with the values that told against them. The page loads nothing (its own policy forbids it), runs no script, and
escapes everything that came from data. Great Expectations' Data Docs may lie beside it.

`collect` reads the numbers from DuckDB; `write_report` only writes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..shards.query import connect
from ..shards.store import Store
from .checks import COLUMNS
from .report_page import STYLE, histogram, number, share_bar
from .rules import RuleSet, joined_sql, load_rules
from .suite import SuiteResult, frame_sql, run_suite

if TYPE_CHECKING:
    import duckdb

EDGES = (0.0, 1.0, 2.0, 3.0, 5.0, 7.5, 10.0, 15.0, 20.0, 30.0, 60.0, 120.0, 300.0)
"""Left edges of the classes of the histogram of lengths, seconds; the last class is open."""

EXAMPLES = 5
"""Rejected samples shown for each reason of a dataset."""


@dataclass(frozen=True, slots=True)
class Example:
    """One rejected sample: why, and the measurements the reason looked at."""

    id: str
    reason: str
    values: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class DatasetSummary:
    """One dataset in numbers. `lengths` counts samples by the classes of `EDGES`; `hours` is the sum of all lengths."""

    name: str
    keep: int
    warn: int
    reject: int
    hours: float
    reasons: Mapping[str, int]
    lengths: Sequence[int] = ()
    examples: Sequence[Example] = field(default_factory=tuple)

    @property
    def samples(self) -> int:
        """All samples that have a verdict."""
        return self.keep + self.warn + self.reject


def collect(
    connection: duckdb.DuckDBPyConnection, rules: RuleSet, *, verdicts: str = "verdicts", measured: str = "measured"
) -> list[DatasetSummary]:
    """Sum up verdicts by dataset.

    Args:
        connection: Where the relations live.
        rules: The rule set of the verdicts.
        verdicts: The table of verdicts, as `rules.decide` makes it.
        measured: The relation that was decided over, such as `rules.joined_sql()`.
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
        )
        for dataset, keep, warn, reject in counts
    ]  # fmt: skip


def _lengths(connection: duckdb.DuckDBPyConnection, measured: str) -> tuple[dict[str, list[int]], dict[str, float]]:
    edges = ", ".join(map(str, EDGES))
    classes: dict[str, list[int]] = {}
    hours: dict[str, float] = {}
    for dataset, position, rows, seconds in connection.execute(
        f"SELECT dataset, len([e FOR e IN [{edges}] IF e <= clip_s]), count(*), sum(clip_s) FROM {measured}"
        " WHERE clip_s >= 0 GROUP BY ALL"
    ).fetchall():
        classes.setdefault(dataset, [0] * len(EDGES))[position - 1] += rows
        hours[dataset] = hours.get(dataset, 0.0) + seconds / 3600
    return classes, hours


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
        told = {column: by_name[column] for column in shown.get(reason, ()) if by_name[column] is not None}
        found.setdefault(dataset, []).append(Example(name, reason, told))
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
        directory: Made if it is not there.
        datasets: What `collect` gives.
        rules: For the meaning and level of each reason.
        suite: Expectations of the whole table; its Data Docs are linked if they lie under `directory`.
        title: The page's heading.
    """
    directory.mkdir(parents=True, exist_ok=True)
    levels = {rule.code: rule.level for rule in rules.rules}
    body = [
        f"<header><h1>{escape(title)}</h1><p>{datetime.now(UTC):%Y-%m-%d %H:%M} UTC · rule set "
        f"<code>{rules.hash[:12]}</code></p></header>",
        _overview(datasets),
        *([_suite(suite, directory)] if suite else []),
        *(_dataset(place, item, levels, rules.why) for place, item in enumerate(datasets)),
    ]
    page = directory / "index.html"
    page.write_text(
        "<!doctype html>\n<html lang=en><head><meta charset=utf-8>"
        "<meta http-equiv=Content-Security-Policy content=\"default-src 'none'; style-src 'unsafe-inline'\">"
        "<meta name=viewport content='width=device-width, initial-scale=1'>"
        f"<title>{escape(title)}</title><style>{STYLE}</style></head>\n<body><main>"
        + "\n".join(body)
        + "</main></body></html>\n",
        encoding="utf-8",
    )
    return page


def _overview(datasets: Sequence[DatasetSummary]) -> str:
    rows = "".join(
        f"<tr><th scope=row><a href='#d{place}'>{escape(item.name)}</a></th>" + _numbers(item) + "</tr>"
        for place, item in enumerate(datasets)
    )
    total = DatasetSummary(
        name="all", keep=sum(item.keep for item in datasets), warn=sum(item.warn for item in datasets),
        reject=sum(item.reject for item in datasets), hours=sum(item.hours for item in datasets), reasons={},
    )  # fmt: skip
    foot = f"<tfoot><tr><th scope=row>all</th>{_numbers(total)}</tr></tfoot>" if len(datasets) > 1 else ""
    return (
        "<section><table><thead><tr><th scope=col>dataset<th scope=col>samples<th scope=col>hours<th scope=col>keep"
        "<th scope=col>warn<th scope=col>reject<th scope=col></tr></thead>"
        f"<tbody>{rows}</tbody>{foot}</table></section>"
    )


def _numbers(item: DatasetSummary) -> str:
    cells = [number(item.samples), f"{item.hours:,.2f}", number(item.keep), number(item.warn), number(item.reject)]
    return "".join(f"<td>{cell}" for cell in cells) + f"<td>{share_bar(item.keep, item.warn, item.reject)}"


def _suite(suite: SuiteResult, directory: Path) -> str:
    rows = "".join(
        f"<tr class={'ok' if item.passed else item.level}><th scope=row>{escape(item.name)}"
        f"<td>{'holds' if item.passed else escape(item.level)}<td>{number(item.offending_rows)}"
        f"<td class=ids>{escape(_first(item.offending_ids))}</tr>"
        for item in suite.expectations
    )
    link = ""
    if suite.docs is not None and suite.docs.resolve().is_relative_to(directory.resolve()):
        href = suite.docs.resolve().relative_to(directory.resolve()).as_posix()
        link = f"<p><a href='{escape(href, quote=True)}'>Data Docs of Great Expectations</a></p>"
    return (
        f"<section><h2>The whole table</h2><p>{number(suite.rows)} rows.</p><table><thead><tr><th scope=col>expectation"
        "<th scope=col>outcome<th scope=col>rows<th scope=col>first ids</tr></thead>"
        f"<tbody>{rows}</tbody></table>{link}</section>"
    )


def _first(ids: Sequence[str | None]) -> str:
    return ", ".join(list(dict.fromkeys(map(str, ids)))[:EXAMPLES])


def _dataset(place: int, item: DatasetSummary, levels: Mapping[str, str], why: Mapping[str, str]) -> str:
    examples: dict[str, list[Example]] = {}
    for example in item.examples:
        examples.setdefault(example.reason, []).append(example)
    rows = "".join(
        f"<tr class={escape(levels.get(code, 'warn'))}><th scope=row><code>{escape(code)}</code>"
        f"<td>{escape(levels.get(code, ''))}<td>{number(rows)}<td>{rows / max(1, item.samples):.1%}"
        f"<td class=why>{escape(why.get(code, ''))}{_shown(examples.get(code, ()))}</tr>"
        for code, rows in item.reasons.items()
    )
    table = (
        "<table><thead><tr><th scope=col>reason<th scope=col>level<th scope=col>samples<th scope=col>share"
        f"<th scope=col>what it means</tr></thead><tbody>{rows}</tbody></table>"
        if rows
        else "<p>No rule fired.</p>"
    )
    chart = histogram(item.lengths, EDGES, label=f"Lengths of the samples of {item.name}") if any(item.lengths) else ""
    return f"<section id=d{place}><h2>{escape(item.name)}</h2>{chart}{table}</section>"


def _shown(examples: Sequence[Example]) -> str:
    if not examples:
        return ""
    items = "".join(
        f"<li><code>{escape(example.id)}</code> "
        + ", ".join(f"{escape(name)} = <b>{escape(_value(value))}</b>" for name, value in example.values.items())
        for example in examples
    )
    return f"<details><summary>{len(examples)} of them</summary><ul>{items}</ul></details>"


def _value(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    text = str(value)
    return text if len(text) <= 200 else text[:199] + "…"


def report_store(store: Store, directory: Path, *, rules_file: Path | None = None) -> Path:
    """Report on everything in a store that was validated by these rules: the page, and the Data Docs beside it."""
    rules = load_rules(rules_file)
    with connect(store) as connection:
        summaries = collect(connection, rules, measured=joined_sql())
        frame = connection.sql(frame_sql()).df()
    suite = run_suite(frame, docs=directory / "data_docs")
    return write_report(directory, summaries, rules, suite=suite, title=f"Validation of {store.root.name}")
