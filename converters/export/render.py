"""Rendering the rows of an export: every sample once into `rows`, from there to Parquet in order and to JSON Lines.

`rows` has the columns of the view's format and, for the account, `_dataset, _license, _held_out, _verdict, _outcome,
_leak`; it lies in a file beside the result, so that memory stays flat and nothing is computed twice.

JSON Lines that are loaded through Arrow start with witness rows: real rows, moved forward, that fill every media column
of the file. Without them a loader whose first chunk has no video takes the column for null and fails at the first one.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

from ...errors import ProblemsFound, UsageError
from ...shards import exports
from ...shards.query import first_row
from ...shards.store import quote
from ...validators.formats import refused_shapes, shape_sql
from ..views.statement import explain_binding, row_statement
from .request import Request

if TYPE_CHECKING:
    import duckdb

KEPT = "FROM rows WHERE _outcome IS NULL"
"""The samples that have a row."""

_ACCOUNT = {
    "_dataset": "dataset",
    "_license": "license",
    "_held_out": "_held_out",
    "_verdict": "_verdict",
    "_outcome": "_outcome",
    "_leak": "gives_it_away",
}


def make_rows(connection: duckdb.DuckDBPyConnection, request: Request, folder: Path) -> str:
    """Create `rows` of every sample that was asked for; rows that the consumer would refuse get that for an outcome."""
    statement = row_statement(request.view, request.options.task, _ACCOUNT)
    columns = _describe(connection, request, statement)
    account = "* EXCLUDE (_skip) REPLACE (coalesce(_outcome, _skip) AS _outcome)"
    file = folder / "rows.parquet"
    connection.execute(f"COPY (SELECT {account} FROM ({statement})) TO {quote(str(file))} ({_SCRATCH})")
    rows = f"read_parquet({quote(str(file))})"
    if request.view.format is not None:
        rows = _refuse(connection, request, columns, rows)
    connection.execute(f"CREATE OR REPLACE VIEW rows AS SELECT * FROM {rows}")
    return statement


_SCRATCH = "FORMAT parquet, COMPRESSION snappy"


def _describe(connection: duckdb.DuckDBPyConnection, request: Request, statement: str) -> dict[str, str]:
    """The view's own columns and their types.

    Raises:
        UsageError: The view cannot be made, or a column of media holds no paths.
    """
    import duckdb

    try:
        described = connection.execute(f"DESCRIBE {statement}").fetchall()
    except duckdb.Error as error:
        known = [str(row[0]) for row in connection.execute("DESCRIBE prepared").fetchall()]
        raise explain_binding(error, request.view, [name for name in known if not name.startswith("_")]) from error
    types = {str(row[0]): str(row[1]) for row in described}
    for column in request.view.media_columns or ():
        if column not in types:
            raise UsageError(f"The view {request.view.name!r} has no column {column!r}, as its header says.")
    for column in media_columns(request, types):
        if types[column] not in ("VARCHAR", "VARCHAR[]"):
            raise UsageError(
                f"The view {request.view.name!r}: {column!r} is {types[column]}; columns of that name hold paths.",
                hint="audio_paths AS audios, or audio_paths[1] AS audio; name anything else otherwise",
            )
    return {name: type_ for name, type_ in types.items() if not name.startswith("_")}


def media_columns(request: Request, columns: Collection[str]) -> list[str]:
    """The columns that hold paths: those that the view's header names, else those called like media."""
    named = request.view.media_columns
    return [name for name in (exports.MEDIA_COLUMNS if named is None else named) if name in columns]


def _refuse(connection: duckdb.DuckDBPyConnection, request: Request, columns: dict[str, str], rows: str) -> str:
    """`rows` with the outcome of those that the consumer would lose."""
    assert request.view.format is not None
    shape = shape_sql(request.view.format, columns)
    shapes = connection.execute(f"SELECT DISTINCT {shape} FROM {rows} WHERE _outcome IS NULL").fetchall()
    refused = refused_shapes(request.view.format, request.options.task, (str(row[0]) for row in shapes))
    if not refused:
        return rows
    import pyarrow as pa

    table = pa.table(
        {"shape": pa.array(list(refused), pa.string()), "code": pa.array(list(refused.values()), pa.string())}
    )
    connection.register("refused_shapes", table)
    connection.execute(f"""
        CREATE OR REPLACE TEMP TABLE refused AS
        SELECT r.id, 'refused_' || s.code AS reason FROM {rows} r JOIN refused_shapes s ON s.shape = {shape}
        WHERE r._outcome IS NULL""")
    return f"(SELECT * REPLACE (coalesce(_outcome, reason) AS _outcome) FROM {rows} LEFT JOIN refused USING (id))"


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
    known = [str(row[0]) for row in connection.execute("DESCRIBE rows").fetchall()]
    left_out = [*_ACCOUNT, "reason"]
    if not request.view.keeps_empty_columns:
        left_out += [column for column in media_columns(request, known) if column not in used]
    left_out = [column for column in left_out if column in known]
    ordered = f"SELECT * EXCLUDE ({', '.join(left_out)}) {KEPT} ORDER BY {order}"
    parquet = folder / "data.parquet"
    connection.execute(f"COPY ({ordered}) TO {quote(str(parquet))} ({exports.PARQUET})")
    exports.write_jsonl(connection, parquet, folder / "data.jsonl")
    return ordered


def _used_columns(connection: duckdb.DuckDBPyConnection, request: Request) -> list[str]:
    known = [str(row[0]) for row in connection.execute("DESCRIBE rows").fetchall()]
    columns = media_columns(request, known)
    if not columns:
        return []
    row = first_row(connection, f"SELECT {', '.join(f'count({column})' for column in columns)} {KEPT}") or ()
    return [column for column, count in zip(columns, row, strict=True) if count]


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
