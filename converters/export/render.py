"""Rendering the rows of an export: every sample once into `rows`, from there to Parquet in order and to JSON Lines.

`rows` has the columns of the view's format and, for the account, `_dataset, _license, _held_out, _verdict, _outcome,
_leak`; it lies in a file beside the result, so that memory stays flat and nothing is computed twice.

JSON Lines that are loaded through Arrow start with witness rows: real rows, moved forward, that fill every media column
of the file. Without them a loader whose first chunk has no video takes the column for null and fails at the first one.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ...errors import UsageError
from ...shards.exports import versions as exports
from ...shards.store.sql import first_row, quote
from ...validators.formats import refused_shapes, shape_sql
from ..views import View
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
_PATHS = {"_image_paths": "image_paths", "_video_paths": "video_paths", "_audio_paths": "audio_paths"}
"""Kept until the paths of a view whose format nobody knows are held against them."""


@dataclass(frozen=True, slots=True)
class Rows:
    """The relation `rows`: its own columns and their types, those of media among them, and the SQL that made it."""

    types: dict[str, str]
    media_columns: list[str]
    sql: str


def make_rows(connection: duckdb.DuckDBPyConnection, request: Request, folder: Path) -> Rows:
    """Create `rows` of every sample that was asked for; rows that the consumer would refuse get that for an outcome.

    Raises:
        UsageError: The view cannot be made, or a column of media holds no paths.
    """
    known = request.view.format is not None
    statement = row_statement(request.view, request.options.task, _ACCOUNT if known else {**_ACCOUNT, **_PATHS})
    types = _describe(connection, request, statement)
    media = media_columns(request.view, types)
    _check_media(request.view, types, media)
    outcome = "coalesce(_outcome, _skip)" if known else f"coalesce(_outcome, _skip, {_foreign_sql(types, media)})"
    left_out = "_skip" if known else ", ".join(["_skip", *_PATHS])
    sql = f"SELECT * EXCLUDE ({left_out}) REPLACE ({outcome} AS _outcome) FROM ({statement})"
    file = folder / "rows.parquet"
    connection.execute(f"COPY ({sql}) TO {quote(str(file))} (FORMAT parquet, COMPRESSION snappy)")
    rows = f"read_parquet({quote(str(file))})"
    if known:
        rows = _refuse(connection, request, types, rows)
    connection.execute(f"CREATE OR REPLACE VIEW rows AS SELECT * FROM {rows}")
    return Rows(types, media, sql)


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
    return {str(name): str(type_) for name, type_, *_ in described if not name.startswith("_")}


def media_columns(view: View, columns: Collection[str]) -> list[str]:
    """The columns that hold paths: those that the view's header names, and those called like media."""
    return [name for name in dict.fromkeys([*(view.media_columns or ()), *exports.MEDIA_COLUMNS]) if name in columns]


def _check_media(view: View, types: dict[str, str], media: Collection[str]) -> None:
    for column in view.media_columns or ():
        if column not in types:
            raise UsageError(f"The view {view.name!r} has no column {column!r}, as its header says.")
    for column in media:
        if types[column] not in ("VARCHAR", "VARCHAR[]"):
            raise UsageError(
                f"The view {view.name!r}: {column!r} is {types[column]}; columns of that name hold paths.",
                hint="audio_paths AS audios, or audio_paths[1] AS audio; name anything else otherwise",
            )


def _foreign_sql(types: dict[str, str], media: Collection[str]) -> str:
    """`foreign_path` where a column of media names what is none of the sample's own media, which were looked at."""
    own = f"list_concat({', '.join(_PATHS)})"
    tests = [
        f"len([1 FOR p IN {name} IF p IS NULL OR NOT coalesce(list_contains({own}, p), false)]) > 0"
        if types[name] == "VARCHAR[]"
        else f"{name} IS NOT NULL AND NOT coalesce(list_contains({own}, {name}), false)"
        for name in media
    ]
    return f"CASE WHEN {' OR '.join(tests) or 'false'} THEN 'refused_foreign_path' END"


def _refuse(connection: duckdb.DuckDBPyConnection, request: Request, columns: dict[str, str], rows: str) -> str:
    """`rows` with the outcome of those that the consumer would lose."""
    assert request.view.format is not None
    shape = shape_sql(request.view.format, columns)
    shapes = connection.execute(f"""
        SELECT to_json(shape)::VARCHAR FROM (SELECT DISTINCT {shape} AS shape FROM {rows} WHERE _outcome IS NULL)
        """).fetchall()
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
        SELECT r.id, 'refused_' || s.code AS reason
        FROM {rows} r JOIN refused_shapes s ON s.shape = to_json({shape})::VARCHAR
        WHERE r._outcome IS NULL""")
    return f"(SELECT * REPLACE (coalesce(_outcome, reason) AS _outcome) FROM {rows} LEFT JOIN refused USING (id))"


def render(connection: duckdb.DuckDBPyConnection, request: Request, rows: Rows, used: list[str], folder: Path) -> str:
    """Write data.parquet in order, then data.jsonl from it; returns the SQL. `used` are the media columns in use."""
    order = _order_sql(request)
    if len(used) > 1:
        order = f"{_witness_sql(connection, used, order)}, {order}"
    empty = [] if request.view.keeps_empty_columns else [name for name in rows.media_columns if name not in used]
    columns = ", ".join(f'"{name}"' for name in rows.types if name not in empty)
    ordered = f"SELECT {columns} {KEPT} ORDER BY {order}"
    parquet = folder / "data.parquet"
    connection.execute(f"COPY ({ordered}) TO {quote(str(parquet))} ({exports.PARQUET})")
    exports.write_jsonl(connection, parquet, folder / "data.jsonl")
    return ordered


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
