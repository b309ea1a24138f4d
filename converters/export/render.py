"""Rendering the rows of an export: every sample once into `rows`, from there to Parquet in order and to JSON Lines.

`rows` has the columns of the view's format and, for the account, `_dataset, _license, _held_out, _verdict, _outcome,
_leak`; it lies in a file beside the result, so that memory stays flat and nothing is computed twice.

JSON Lines that are loaded through Arrow start with witness rows: real rows, moved forward, that fill every media column
of the file. Without them a loader whose first chunk has no video takes the column for null and fails at the first one.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ...errors import ProblemsFound
from ...shards import exports
from ...shards.query import first_row
from ...shards.store import quote
from ...validators.formats import sql_rules
from ..views import ViewSql
from .request import Request

if TYPE_CHECKING:
    import duckdb

KEPT = "FROM rows WHERE _outcome IS NULL"
"""The samples that have a row."""

_ACCOUNT = {
    "_dataset": "dataset",
    "_license": "license",
    "_held_out": "held_out",
    "_verdict": "verdict",
    "_outcome": "outcome",
}


def make_rows(connection: duckdb.DuckDBPyConnection, request: Request, sql: ViewSql, folder: Path) -> str:
    """Create `rows` of every sample that was asked for; rows that the consumer would refuse get that for an outcome.

    Rows made from fields keep the format's rules by construction; conversations and modalities come from the data.
    """
    account = ", ".join(f"{column} AS {name}" for name, column in _ACCOUNT.items())
    statement = f"SELECT {sql.select}, {account}, {sql.leak or 'false'} AS _leak FROM prepared"
    file = folder / "rows.parquet"
    connection.execute(f"COPY ({statement}) TO {quote(str(file))} (FORMAT parquet, COMPRESSION snappy)")
    rows = f"read_parquet({quote(str(file))})"
    cases = " ".join(
        f"WHEN {rule} THEN 'refused_{code}'"
        for code, severity, rule in sql_rules(request.view.format, request.options.task)
        if severity == "error"
    )
    connection.execute(f"""
        CREATE OR REPLACE TEMP TABLE refused AS
        SELECT id, CASE {cases} END AS reason FROM {rows} WHERE _outcome IS NULL AND CASE {cases} END IS NOT NULL""")
    row = first_row(connection, "SELECT count(*) FROM refused")
    if row and row[0]:
        rows = f"(SELECT * REPLACE (coalesce(_outcome, reason) AS _outcome) FROM {rows} LEFT JOIN refused USING (id))"
    connection.execute(f"CREATE OR REPLACE VIEW rows AS SELECT * FROM {rows}")
    return statement


def count_outcomes(connection: duckdb.DuckDBPyConnection) -> dict[str, int]:
    """Samples by outcome: `written` have a row, `filtered` were not asked for."""
    found = connection.execute("""
        SELECT coalesce(_outcome, 'written'), count(*) FROM rows GROUP BY 1
        UNION ALL
        SELECT 'filtered', count(*) FROM chosen WHERE filtered HAVING count(*) > 0""").fetchall()
    return {str(outcome): int(count) for outcome, count in found}


def render(connection: duckdb.DuckDBPyConnection, request: Request, folder: Path) -> str:
    """Write data.parquet in order, then data.jsonl from it; returns the SQL."""
    used = _used_columns(connection, request)
    order = _order_sql(request)
    if len(used) > 1:
        order = f"{_witness_sql(connection, used, order)}, {order}"
    left_out = [*_ACCOUNT, "_leak", "reason"]
    if not request.view.keeps_empty_columns:
        left_out += [column for column in request.view.media_columns if column not in used]
    known = {str(row[0]) for row in connection.execute("DESCRIBE rows").fetchall()}
    left_out = [column for column in left_out if column in known]
    ordered = f"SELECT * EXCLUDE ({', '.join(left_out)}) {KEPT} ORDER BY {order}"
    parquet = folder / "data.parquet"
    connection.execute(f"COPY ({ordered}) TO {quote(str(parquet))} ({exports.PARQUET})")
    exports.write_jsonl(connection, parquet, folder / "data.jsonl")
    return ordered


def _used_columns(connection: duckdb.DuckDBPyConnection, request: Request) -> list[str]:
    counts = ", ".join(f"count({column})" for column in request.view.media_columns)
    row = first_row(connection, f"SELECT {counts} {KEPT}") or ()
    return [column for column, count in zip(request.view.media_columns, row, strict=True) if count]


def _order_sql(request: Request) -> str:
    return f"sha256({quote(f'{request.seed}:')} || id), id" if request.order == "hash" else "id"


def _witness_sql(connection: duckdb.DuckDBPyConnection, used: list[str], order: str) -> str:
    """Real rows moved forward, so that every media column has a value in a loader's first chunk."""
    ids: list[str] = []
    open_columns = list(used)
    while open_columns:
        filled = " + ".join(f"({column} IS NOT NULL)::INT" for column in open_columns)
        row = first_row(
            connection,
            f"SELECT id, {', '.join(f'{column} IS NOT NULL' for column in open_columns)} {KEPT} "
            f"ORDER BY {filled} DESC, {order} LIMIT 1",
        )
        assert row is not None
        ids.append(str(row[0]))
        open_columns = [column for column, has in zip(open_columns, row[1:], strict=True) if not has]
    return f"coalesce(list_position([{', '.join(map(quote, ids))}], id), {len(ids) + 1})"


def refuse_leaks(connection: duckdb.DuckDBPyConnection) -> None:
    """Raise where the user turn holds the answer."""
    row = first_row(connection, f"SELECT count(*), min(id) {KEPT} AND coalesce(_leak, false)")
    if row and row[0]:
        raise ProblemsFound(
            f"The user template puts the answer into the user turn of {row[0]:,} rows, the first is {row[1]}: "
            "a model trained on them learns to copy.",
            hint="leave that field out of --user-template, or insist with --allow-answer-in-prompt",
        )
