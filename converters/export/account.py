"""The outcome of every sample, read from `rows` in one query: counts by outcome, licences, warnings."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ...errors import ProblemsFound
from ...shards.store.sql import first_row, identifier
from ...validators.formats import FORMATS
from ..annotations.split.conflicts import SplitCertificate
from ..views.elements.why_no_row import explained_all
from .repeated_rows import RepeatedRows
from .select import SplitAccount

if TYPE_CHECKING:
    import duckdb


_SAMPLE_OUTCOMES = """
    CREATE OR REPLACE TEMP TABLE sample_outcomes AS
    SELECT _dataset AS dataset, _sample AS id,
           CASE WHEN bool_or(_outcome IS NULL) THEN 'written' ELSE min(_outcome) END AS outcome
    FROM rows GROUP BY ALL"""


@dataclass(slots=True)
class ExportAccount:
    """Counts of samples and rows.

    Attributes:
        outcomes: Samples by outcome: `written` samples have a row, `filtered` samples were not selected, others were
            left out for the reason that is their outcome.
        rows: The rows; as many as `written` samples, unless samples were expanded.
        parts: Of samples that were expanded: the parts without a row, by reason; None if no sample was.
        licences: Rows by dataset and licence.
        held_out, rejected: Rows of validation or test splits; rejected by the rules.
        unvalidated, changed: Rows without a verdict on what they are now; and those of them that have changed since.
        changed_rejected: Samples without a row because of a verdict from before they changed.
        media: Rows with a value, by media column.
        splits: What the selection by split left out or kept.
        certificates: The splits of the samples, checked again.
        composed: What was taken of each part of a composition; None without one.
        repeats: Rows whose sound is in a test, and rows that are there twice.
        leaks, leak: Rows whose user turn contains the answer, and the smallest id among them.
    """

    outcomes: Counter[str] = field(default_factory=Counter)
    rows: int = 0
    parts: Counter[str] | None = None
    licences: dict[str, Counter[str]] = field(default_factory=dict)
    held_out: int = 0
    unvalidated: int = 0
    changed: int = 0
    changed_rejected: int = 0
    rejected: int = 0
    media: Counter[str] = field(default_factory=Counter)
    splits: SplitAccount = field(default_factory=SplitAccount)
    certificates: list[SplitCertificate] = field(default_factory=list)
    composed: dict[str, Any] | None = None
    repeats: RepeatedRows = field(default_factory=RepeatedRows)
    leaks: int = 0
    leak: str | None = None

    @property
    def written(self) -> int:
        return self.outcomes["written"]

    def used(self, columns: Sequence[str]) -> list[str]:
        """The media columns that have a value in at least one row."""
        return [column for column in columns if self.media[column]]

    def summary(self) -> str:
        counts = ", ".join(f"{count:,} {outcome}" for outcome, count in sorted(self.outcomes.items()) if count)
        return counts or "no samples were selected"


def read_account(
    connection: duckdb.DuckDBPyConnection, media_columns: Sequence[str], *, expanded: bool = False
) -> ExportAccount:
    """The account of `rows` and of the samples that `chosen` filtered out.

    Args:
        expanded: Whether a sample may have several rows.
    """
    filled = "".join(f", count({identifier(column)})" for column in media_columns)
    account = ExportAccount()
    for dataset, licence, held_out, verdict, changed, outcome, count, leaks, leak, *media in connection.execute(f"""
        SELECT _dataset, coalesce(_license, 'unknown'), coalesce(_held_out, false), _verdict,
               coalesce(_changed, false), _outcome, count(*),
               count(*) FILTER (_leak), min(id) FILTER (_leak){filled}
        FROM rows GROUP BY ALL ORDER BY ALL""").fetchall():
        account.outcomes[outcome or "written"] += count
        if outcome is not None:
            account.changed_rejected += count if changed and outcome == "rejected" else 0
            continue
        account.rows += count
        account.licences.setdefault(str(dataset), Counter())[str(licence)] += count
        account.held_out += count if held_out else 0
        account.unvalidated += count if verdict is None or changed else 0
        account.changed += count if changed else 0
        account.rejected += count if verdict == "reject" else 0
        account.media.update(dict(zip(media_columns, media, strict=True)))
        account.leaks += leaks
        account.leak = min((id_ for id_ in (leak, account.leak) if id_ is not None), default=None)
    if expanded:
        account.parts = Counter({reason: count for reason, count in account.outcomes.items() if reason != "written"})
        account.outcomes = _sample_outcomes(connection)
    for outcome, count in connection.execute(
        "SELECT coalesce(left_out, 'filtered'), count(*) FROM chosen WHERE filtered GROUP BY 1"
    ).fetchall():
        account.outcomes[str(outcome)] += count
    return account


def _sample_outcomes(connection: duckdb.DuckDBPyConnection) -> Counter[str]:
    """Samples by outcome where a sample has several rows: one that has any is written. Creates `sample_outcomes`."""
    connection.execute(_SAMPLE_OUTCOMES)
    return Counter(dict(connection.execute("SELECT outcome, count(*) FROM sample_outcomes GROUP BY ALL").fetchall()))


def refuse_leaks(account: ExportAccount) -> None:
    """Raise ProblemsFound if the user turn of any row contains the answer."""
    if account.leaks:
        raise ProblemsFound(
            f"The user template puts the answer into the user turn of {account.leaks:,} rows, the first is "
            f"{account.leak}: a model trained on them learns to copy.",
            hint="remove that field from --user-template, or allow it with --allow-answer-in-prompt",
        )


def without_rows(connection: duckdb.DuckDBPyConnection, account: ExportAccount, format: str | None) -> ProblemsFound:
    """The error of an export of which no sample has a row: what each reason means. `rows` and `parts` must exist."""
    lines = [f"Nothing to export: {account.summary()}.", *explained_all(dict(sorted(account.outcomes.items())))]
    lines += _refused(account, format)
    if account.outcomes["unknown_phone"]:
        lines += _unknown_phone(connection)
    hint = 'triptych query "SELECT dataset, task, modality, count(*) FROM samples GROUP BY ALL" shows what there is'
    return ProblemsFound("\n".join(lines), hint=hint)


def _refused(account: ExportAccount, format: str | None) -> Iterator[str]:
    """The reasons that are findings of the validator of the format, in its words."""
    problems = FORMATS[format].PROBLEMS if format is not None else {}
    for reason, count in sorted(account.outcomes.items()):
        if (problem := problems.get(reason.removeprefix("refused_"))) and reason.startswith("refused_"):
            yield f"  {count:,} {reason}: {problem.what}"


def _unknown_phone(connection: duckdb.DuckDBPyConnection) -> Iterator[str]:
    row = first_row(connection, """
        SELECT p.id, list_filter(p.phones, lambda x: x.text IS NOT NULL AND chosen_phone(x.text) IS NULL)[1].text
        FROM rows r JOIN parts p USING (id) WHERE r._outcome = 'unknown_phone' ORDER BY 1 LIMIT 1""")  # fmt: skip
    if row is not None:
        yield f"  unknown_phone: the first is {row[1]!r} of {row[0]}"
