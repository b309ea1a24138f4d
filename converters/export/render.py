"""Render the rows of an export: every sample once into `rows`, then ordered into Parquet and JSON Lines.

`rows` has the columns of the view's format and, for the account, `_dataset, _license, _held_out, _verdict, _changed,
_outcome, _leak, _sound, _mode` and the columns of `views/left_out.py`. If a sample may have several rows, `_sample` is
its id. `rows` is stored in a scratch file, so that memory use is constant and nothing is computed twice.

Files start with witness rows: real rows, moved to the front, that together have a value in every media column and every
other that not all rows have. Without them an Arrow loader whose first chunk has no video infers a null column and
fails at the first video.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import UsageError
from ...shards.exports import versions as exports
from ...shards.exports.jsonl import LOSS_COLUMNS, WrittenRows, sparse_columns, write_jsonl
from ...shards.exports.media_places import MEDIA_COLUMNS
from ...shards.pace import Progress
from ...shards.store.sql import first_row, identifier, quote
from ...validators.formats import refused_shapes, shape_sql
from ..views import View
from ..views.elements.json_texts import json_texts_as_parts, mixed_tests
from ..views.left_out import left_out_columns
from ..views.prepare import (
    CALLS_TOOLS,
    EMPTIABLE,
    NOT_UPPER,
    PICTURES,
    READ_KEYS,
    TOOLS,
    WITH_LOSS,
    create_macros,
    create_prompts,
    with_prepared,
)
from ..views.sql.fold import entry_of
from ..views.statement import describe, row_statement, sql_errors
from ..views.values import check_skip, check_types, invalid_skip_sql, not_finite_sql
from .request import Request

if TYPE_CHECKING:
    import duckdb

KEPT = "FROM rows WHERE _outcome IS NULL"
"""The samples that have a row."""
_MESSAGES = ("messages", "prompt", "completion", "chosen", "rejected")
"""Columns of messages: where no tool is called, JSON there holds texts alone, and no number. (`loss_scale` is in typed
messages.)"""
_FIRST = 1000
"""Rows whose shapes are taken for those of most, in an export of many times more."""
_EXTRA_KEYS = 20
"""For so many keys of `extra` a file starts with rows that have them: a loader then expects any."""

_SCRATCH = "FORMAT parquet, COMPRESSION uncompressed, ROW_GROUP_SIZE 20480"
"""Of the file of rows, which is read five times and then removed."""
_PICTURES = dict(zip(PICTURES, ("image.path", "video.path"), strict=True))
"""Where the paths of these columns are in the sample; `more_media` has others."""
_ACCOUNT = {
    "_dataset": "dataset",
    "_license": "license",
    "_held_out": "_held_out",
    "_verdict": "_verdict",
    "_changed": "_changed",
    "_outcome": "_outcome",
    "_leak": "leaks_answer",
    "_sound": "_sound",
    "_mode": "mode",
}
_PATHS = {"_image_paths": "image_paths", "_video_paths": "video_paths", "_audio_paths": "audio_paths"}
"""The sample's own paths: those of a user's view are checked against them, and files are made of the media there."""


@dataclass(frozen=True, slots=True)
class Rows:
    """The relation `rows`.

    Attributes:
        types: The view's columns and their types.
        media_columns: Those that hold paths.
        optional_columns: Those that the file has only if a row has a value.
        sql: The statements that produced it: its macros and its rows.
        expanded: Whether a sample may have several rows.
        relation: What the view `rows` selects from; later steps add outcomes to it.
    """

    types: dict[str, str]
    media_columns: list[str]
    optional_columns: list[str]
    sql: list[str]
    relation: str
    expanded: bool = False

    @property
    def counted(self) -> list[str]:
        """The columns whose values are counted: a file starts with rows that fill them."""
        return [*self.media_columns, *self.optional_columns]


def make_rows(
    connection: duckdb.DuckDBPyConnection, request: Request, folder: Path, *, placed: str, expanded: bool = False
) -> Rows:
    """Create `rows` of every selected sample; rows that the consumer would refuse get that as their outcome.

    Args:
        placed: The SELECT of `place_media`.
        expanded: Whether a sample may have several rows.

    Raises:
        UsageError: The view's SQL fails, a column has a type that cannot hold paths or be written, or `skip` holds
            something that is no reason code.
    """
    view = request.view
    account = {**_ACCOUNT, **left_out_columns(view, request.options)}
    if not view.built_in or view.extract is not None:
        account |= _PATHS
    if expanded:
        account["_sample"] = "sample_id"
    statement = row_statement(view, request.options.task, account)
    types = {} if view.built_in else _described(connection, request, statement, placed)
    outcome, empty = _with_outcome(view, statement, types), empty_columns(connection, placed)
    sql = with_prepared(outcome, request.options, decide=view.built_in, empty=empty, samples=placed)
    create_prompts(connection, sql)
    macros = create_macros(connection, request.options, sql, with_loss=WITH_LOSS in placed)
    file = folder / "rows.parquet"
    rows = f"read_parquet({quote(str(file))})"
    with sql_errors(view):
        made = connection.execute(f"COPY ({sql}) TO {quote(str(file))} ({_SCRATCH})").fetchone()
    if view.built_in:
        # Parquet has all the types that these views use: binding their statement once more would tell the same.
        types = _own_types(connection.execute(f"DESCRIBE FROM {rows}").fetchall())
        texts = dict.fromkeys(_MESSAGES, "JSON").items() if empty.issuperset(TOOLS) else ()
        rows = _finite(connection, dict(item for item in types.items() if item not in texts), rows)
    else:
        found = f"SELECT _invalid_skip, id FROM {rows} WHERE _invalid_skip IS NOT NULL ORDER BY id LIMIT 1"
        if (row := first_row(connection, found)) is not None:
            check_skip(view, str(row[0]), row[1])
    if view.format is not None:
        rows = _refuse(connection, request, types, rows, many=made is not None and made[0] > 50 * _FIRST)
    connection.execute(f"CREATE OR REPLACE VIEW rows AS SELECT * FROM {rows}")
    optional = [name for name in view.optional_columns if name in types]
    return Rows(types, media_columns(view, types), optional, [*macros, sql], rows, expanded)


def empty_columns(connection: duckdb.DuckDBPyConnection, placed: str) -> frozenset[str]:
    """The columns of the sample of which no row to be made has a value, as `with_prepared` takes them.

    Messages with fields of loss have a type of their own, which holds for samples that have no row, too.

    Args:
        placed: The SELECT of `place_media`.
    """
    unfilled = _unfilled(connection, ("extra", *_PICTURES.values(), *EMPTIABLE))
    empty = unfilled.intersection(EMPTIABLE)
    if "more_media" in empty:
        empty.update(name for name, path in _PICTURES.items() if path in unfilled)
    if "messages" in empty or first_row(connection, f"SELECT 1 FROM parts WHERE {CALLS_TOOLS} LIMIT 1") is None:
        empty.update(TOOLS)
    known = f"SELECT DISTINCT k FROM (SELECT unnest(map_keys(extra)) AS k FROM parts) WHERE k IN {READ_KEYS}"
    present = {key for (key,) in connection.execute(known).fetchall()} if "extra" not in unfilled else set()
    empty.update(entry_of("extra", key) for key in READ_KEYS if key not in present)
    if NOT_UPPER in placed:
        empty.add("upper")
    return frozenset(empty - {"messages"} if WITH_LOSS in placed else empty)


def _unfilled(connection: duckdb.DuckDBPyConnection, columns: Collection[str]) -> set[str]:
    """Those of these columns of `parts` that are null in every row. One with a value in the first rows needs no further
    look, and hardly any that has none there has one in others."""
    left = list(columns)
    for rows in (f"(FROM parts LIMIT {_FIRST})", "parts"):
        counts = first_row(connection, f"SELECT {', '.join(f'count({name})' for name in left)} FROM {rows}") or ()
        left = [name for name, count in zip(left, counts, strict=True) if not count]
        if not left:
            break
    return set(left)


def choose_rows(connection: duckdb.DuckDBPyConnection, request: Request) -> None:
    """Give an outcome to rows that could be written and that the view leaves out: a part of them was asked for.

    The tables behind `rows` are not temporary: cursors, which read rows in batches, do not see such tables.
    """
    if request.view.choose is None:
        return
    left_out = request.view.choose(connection, request.options.own, _order_sql(request))
    if left_out is None:
        return
    connection.execute(f"CREATE OR REPLACE TABLE not_chosen AS {left_out}")
    connection.execute("ALTER VIEW rows RENAME TO rows_before_choice")
    connection.execute("""
        CREATE VIEW rows AS SELECT * EXCLUDE (reason) REPLACE (coalesce(_outcome, reason) AS _outcome)
        FROM rows_before_choice LEFT JOIN not_chosen USING (id)""")


def extract_rows(
    connection: duckdb.DuckDBPyConnection, request: Request, rows: Rows, folder: Path, progress: Progress | None
) -> Rows:
    """Make the files that the view makes of the media of rows, and add what they say to `rows`."""
    if request.view.extract is None:
        return rows
    added = request.view.extract(connection, folder, request.options.own, _order_sql(request), progress)
    connection.execute("ALTER VIEW rows RENAME TO rows_before_extraction")
    connection.execute(f"""
        CREATE VIEW rows AS SELECT r.* REPLACE (coalesce(r._outcome, x.reason) AS _outcome),
           {", ".join(f"x.{name}" for name in added)} FROM rows_before_extraction r LEFT JOIN extracted x USING (id)""")
    optional = [name for name in request.view.optional_columns if name in added]
    return replace(rows, types={**rows.types, **added}, optional_columns=[*rows.optional_columns, *optional])


def _described(connection: duckdb.DuckDBPyConnection, request: Request, statement: str, placed: str) -> dict[str, str]:
    """The columns of a user's view and their types, checked before any row is made."""
    view = request.view
    sql = with_prepared(statement, request.options, decide=False)
    create_prompts(connection, sql)
    create_macros(connection, request.options, sql, with_loss=WITH_LOSS in placed)
    described = describe(connection, view, statement, request.options, samples=placed)
    check_types(view, described)
    types = _own_types(described.items())
    _check_media(view, types, media_columns(view, types))
    return types


def _own_types(described: Iterable[Sequence[Any]]) -> dict[str, str]:
    """The view's own columns; names that start with _ are the account's."""
    return {str(name): str(type_) for name, type_, *_ in described if not str(name).startswith("_")}


def _with_outcome(view: View, statement: str, types: dict[str, str]) -> str:
    """The statement of the rows, whose `_outcome` is the first reason against a row."""
    if view.built_in:
        return f"SELECT * EXCLUDE (_skip) REPLACE (coalesce(_outcome, _skip) AS _outcome) FROM ({statement})"
    reasons = ["_outcome", "_skip", _foreign_sql(types, media_columns(view, types))]
    reasons += [test for test in [not_finite_sql(types)] if test]
    return (
        f"SELECT * EXCLUDE (_skip, {', '.join(_PATHS)}) REPLACE (coalesce({', '.join(reasons)}) AS _outcome), "
        f"{invalid_skip_sql()} AS _invalid_skip FROM ({statement})"
    )


def _finite(connection: duckdb.DuckDBPyConnection, types: dict[str, str], rows: str) -> str:
    """`rows` with an outcome for those with a number that JSON cannot write."""
    test = not_finite_sql(types)
    if test is None or first_row(connection, f"SELECT 1 FROM {rows} WHERE {test} IS NOT NULL LIMIT 1") is None:
        return rows
    return f"(SELECT * REPLACE (coalesce(_outcome, {test}) AS _outcome) FROM {rows})"


def media_columns(view: View, columns: Collection[str]) -> list[str]:
    """The columns that hold paths: those listed in the view's header, and those with a media name."""
    return [name for name in dict.fromkeys([*(view.media_columns or ()), *MEDIA_COLUMNS]) if name in columns]


def _check_media(view: View, types: dict[str, str], media: Collection[str]) -> None:
    for column in view.media_columns or ():
        if column not in types:
            raise UsageError(f"The view {view.name!r} has no column {column!r}, which its header lists as media.")
    for column in media:
        if types[column] not in ("VARCHAR", "VARCHAR[]"):
            raise UsageError(
                f"The view {view.name!r}: {column!r} is {types[column]}; columns of that name hold paths.",
                hint="audio_paths AS audios, or audio_paths[1] AS audio; rename a column that holds anything else",
            )


def _foreign_sql(types: dict[str, str], media: Collection[str]) -> str:
    """`refused_foreign_path` if a media column holds a path that is not the sample's own (only those were checked)."""
    own = f"list_concat({', '.join(_PATHS)})"
    tests = [
        f"len([1 FOR p IN {name} IF p IS NULL OR NOT coalesce(list_contains({own}, p), false)]) > 0"
        if types[name] == "VARCHAR[]"
        else f"{name} IS NOT NULL AND NOT coalesce(list_contains({own}, {name}), false)"
        for name in media
    ]
    return f"CASE WHEN {' OR '.join(tests) or 'false'} THEN 'refused_foreign_path' END"


def _refuse(
    connection: duckdb.DuckDBPyConnection, request: Request, columns: dict[str, str], rows: str, *, many: bool
) -> str:
    """`rows` with an outcome for the rows that the consumer would drop."""
    assert request.view.format is not None
    shape = shape_sql(request.view.format, columns)
    if many and "JSON" in columns.values():
        shape = shape_sql(request.view.format, columns, _frequent(connection, shape, rows))
    shapes = connection.execute(f"""
        SELECT to_json(shape)::VARCHAR FROM (SELECT DISTINCT {shape} AS shape FROM {rows} WHERE _outcome IS NULL)
        """).fetchall()
    refused = refused_shapes(request.view.format, request.options.task, (str(row[0]) for row in shapes))
    if not refused:
        return rows
    from ...shards.store.rows_to_arrow import texts_table

    connection.register("refused_shapes", texts_table(shape=list(refused), code=list(refused.values())))
    connection.execute(f"""
        CREATE OR REPLACE TABLE refused AS
        SELECT r.id, 'refused_' || s.code AS reason
        FROM {rows} r JOIN refused_shapes s ON s.shape = to_json({shape})::VARCHAR
        WHERE r._outcome IS NULL""")
    return f"(SELECT * REPLACE (coalesce(_outcome, reason) AS _outcome) FROM {rows} LEFT JOIN refused USING (id))"


def _frequent(connection: duckdb.DuckDBPyConnection, shape: str, rows: str) -> list[str]:
    """The shapes (JSON) that most of the first rows have."""
    first = f"SELECT {shape} AS shape FROM {rows} WHERE _outcome IS NULL LIMIT {_FIRST}"
    found = connection.execute(
        f"SELECT to_json(shape)::VARCHAR FROM ({first}) GROUP BY shape HAVING count(*) > {_FIRST // 10} ORDER BY ALL"
    )
    return [str(text) for (text,) in found.fetchall()]


def render(
    connection: duckdb.DuckDBPyConnection, request: Request, rows: Rows, used: list[str], folder: Path
) -> tuple[str, WrittenRows]:
    """Write data.parquet in order, then data.jsonl from it; return the SQL, and the sums of the latter.

    Args:
        used: Counted columns with values.
    """
    order = _order_sql(request)
    if request.view.arrange is not None:
        order = request.view.arrange(order)
    witnessed = [f"{identifier(column)} IS NOT NULL" for column in used]
    witnessed += [*mixed_tests(connection, request.view.mixed_columns, rows.types, KEPT)]
    witnessed += [*_loss_tests(connection, rows.types), *_extra_tests(connection, rows.types, used)]
    if len(witnessed) > 1 and not _all_fill(connection, witnessed):
        order = f"{_witness_sql(connection, witnessed, order)}, {order}"
    empty = [] if request.view.keeps_empty_columns else [name for name in rows.media_columns if name not in used]
    empty += [name for name in rows.optional_columns if name not in used]
    changed = {name: f"{identifier(name)}[1]" for name in _single(connection, request.view, rows.types)}
    changed |= json_texts_as_parts(connection, request.view.mixed_columns, rows.types, KEPT)
    listed = (f"{changed[name]} AS {identifier(name)}" if name in changed else identifier(name)
              for name in rows.types if name not in empty)  # fmt: skip
    columns = ", ".join(listed)
    if rows.expanded and exports.SAMPLE_ID not in rows.types:
        columns += f", _sample AS {exports.SAMPLE_ID}"
    ordered = f"SELECT {columns} {KEPT} ORDER BY {order}"
    parquet = folder / "data.parquet"
    with sql_errors(request.view):
        connection.execute(f"COPY ({ordered}) TO {quote(str(parquet))} ({exports.PARQUET})")
        written = write_jsonl(connection, parquet, folder / "data.jsonl", media_root=request.media_root)
    return ordered, written


def _order_sql(request: Request) -> str:
    """The order of `sha256(seed || id)` by its first 128 bits, as numbers: they sort faster than text."""
    if request.order != "hash":
        return "id"
    hashed = f"sha256({quote(f'{request.seed}:')} || id)"
    return f"('0x' || {hashed}[1:16])::UBIGINT, ('0x' || {hashed}[17:32])::UBIGINT"


def _single(connection: duckdb.DuckDBPyConnection, view: View, types: dict[str, str]) -> list[str]:
    """The singular columns of the view of which no row has more than one item."""
    return [name for name in view.singular_columns if name in types
            and first_row(connection, f"SELECT 1 {KEPT} AND len({identifier(name)}) > 1 LIMIT 1") is None]  # fmt: skip


def _loss_tests(connection: duckdb.DuckDBPyConnection, types: dict[str, str]) -> list[str]:
    """SQL for whether a message of a row has `loss` or `loss_scale`, as far as one in the file has it."""
    tests = [f"len(list_filter({name}, lambda m: m.{key} IS NOT NULL)) > 0"
             for name in sparse_columns(types) if name in LOSS_COLUMNS for key in ("loss", "loss_scale")]  # fmt: skip
    return [test for test in tests if first_row(connection, f"SELECT 1 {KEPT} AND {test} LIMIT 1") is not None]


def _extra_tests(connection: duckdb.DuckDBPyConnection, types: dict[str, str], used: list[str]) -> list[str]:
    """SQL for whether the `extra` of a row has a key, for the first keys of the file."""
    if "extra" not in used or types["extra"] != "JSON":
        return []
    keys = f"SELECT DISTINCT unnest(json_keys(extra)) AS key {KEPT} ORDER BY key LIMIT {_EXTRA_KEYS}"
    return [f"list_contains(json_keys(extra), {quote(str(key))})" for (key,) in connection.execute(keys).fetchall()]


def _all_fill(connection: duckdb.DuckDBPyConnection, tests: list[str]) -> bool:
    """Whether every row is a witness of all tests: whichever is first will do."""
    row = first_row(connection, f"SELECT 1 {KEPT} AND NOT coalesce({' AND '.join(tests)}, false) LIMIT 1")
    return row is None


def _witness_sql(connection: duckdb.DuckDBPyConnection, tests: list[str], order: str) -> str:
    """An ORDER BY term for the witness rows: each of these tests is true for a row in a loader's first chunk.

    `tests`: SQL, each true for at least one row.
    """
    ids: list[str] = []
    open_tests = list(tests)
    while open_tests:
        filled = " + ".join(f"({test})::INT" for test in open_tests)
        row = first_row(
            connection, f"SELECT id, {', '.join(open_tests)} {KEPT} ORDER BY {filled} DESC, {order} LIMIT 1"
        )
        assert row is not None
        ids.append(str(row[0]))
        open_tests = [test for test, has in zip(open_tests, row[1:], strict=True) if not has]
    return f"coalesce(list_position([{', '.join(map(quote, ids))}], id), {len(ids) + 1})"
