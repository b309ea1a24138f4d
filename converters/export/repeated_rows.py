"""Rows of an export that repeat others: training rows whose sound a test has, and rows that are there twice.

They are looked up in the whole store when the export is made: a verdict knows only the samples of its own time, and a
test set may have come since.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ...shards.split_roles import card_roles, read_corpora
from ...shards.store.sql import first_row, quote
from ...validators.repeats import repeats_sql, twice_sql
from ...validators.rules import RuleSet

if TYPE_CHECKING:
    import duckdb

_OVERLAP = "train_test_overlap"


@dataclass(frozen=True, slots=True)
class HeldOutSound:
    """Training rows that the rule `train_test_overlap` of their dataset names.

    Attributes:
        undecided: Those whose verdict does not say so: it is older than the test sample.
        first: The smallest id among them.
    """

    rows: int = 0
    undecided: int = 0
    first: str | None = None


@dataclass(frozen=True, slots=True)
class RepeatedRows:
    """Counts of rows.

    Attributes:
        rows: Rows with the same media, span, channel and question as a row of another dataset or split.
    """

    held_out: HeldOutSound = field(default_factory=HeldOutSound)
    rows: int = 0


def read_repeats(
    connection: duckdb.DuckDBPyConnection, rules: Mapping[str, RuleSet], *, expanded: bool = False
) -> RepeatedRows:
    """Look the samples of the written `rows` up among those of the store.

    Args:
        rules: The rules of each dataset.
        expanded: Whether a sample may have several rows.
    """
    connection.execute(f"CREATE OR REPLACE TEMP TABLE media_twice AS {twice_sql()}")
    if first_row(connection, "SELECT 1 FROM media_twice LIMIT 1") is None:
        return RepeatedRows()
    roles = card_roles(read_corpora(connection))
    connection.execute(f"""
        CREATE OR REPLACE TEMP TABLE repeated AS
        SELECT * FROM {repeats_sql(roles=roles, twice="media_twice")}
        SEMI JOIN (SELECT {"_sample" if expanded else "id"} AS id FROM rows WHERE _outcome IS NULL) USING (id)""")
    rows, undecided, first = first_row(connection, f"""
        SELECT count(*), count(*) FILTER (v.id IS NOT NULL AND NOT list_contains(v.reasons, {quote(_OVERLAP)})),
               min(r.id)
        FROM repeated r LEFT JOIN verdicts v ON v.dataset = r.dataset AND v.id = r.id
        WHERE {_overlaps_sql(rules)}""") or (0, 0, None)  # fmt: skip
    (repeated,) = first_row(connection, """
        SELECT count(*) FROM repeated WHERE content IN (
            SELECT content FROM repeated GROUP BY content HAVING count(DISTINCT place) > 1)""") or (0,)  # fmt: skip
    return RepeatedRows(HeldOutSound(rows, undecided, first), repeated)


def _overlaps_sql(rules: Mapping[str, RuleSet]) -> str:
    """SQL: the rule of the sample's dataset applies, unless it is off."""
    tests = [
        f"WHEN {quote(dataset)} THEN {rule.sql()}"
        for dataset, of_dataset in rules.items()
        for rule in of_dataset.rules
        if rule.code == _OVERLAP and rule.level != "off"
    ]
    return f"coalesce(CASE r.dataset {' '.join(tests)} END, false)" if tests else "false"
