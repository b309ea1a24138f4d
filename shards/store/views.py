"""The SQL that reads the tables of a store, and the file of views for the plain duckdb client.

`scan_sql` is the only function that reads table files. It takes an open table, so that reading the log once serves
several statements; tables are opened by `Store.table`, or by a function that opens them as of a run.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

from ..budgets import FORMULAS, sample_budget_sql
from ..exports.sql_views import create_export_views
from ..store_format import TABLE_NAMES
from .annotations import samples_sql
from .database import session
from .sql import quote
from .tables import TABLES, duckdb_type

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa
    from deltalake import DeltaTable

AS_PULLED = "samples_as_pulled"
"""The view of the samples without annotations."""
BUDGETS = "budgets"
"""The view of what each sample is in a model: `seconds`, and a struct of counts for each model. The file of views has
none: planning its formulas takes longer than all else of a commit."""
VIEW_NAMES = (*TABLE_NAMES, AS_PULLED, BUDGETS)

Opener = Callable[[str], "DeltaTable"]


def live_files(table: DeltaTable) -> list[Path]:
    """Return the files of a table as paths; Delta lists them as URIs, where a space is `%20`."""
    return sorted(Path(unquote(uri)) for uri in table.file_uris())


def scan_sql(name: str, table: DeltaTable, *, root: Path | None = None, shown_root: Path | None = None) -> str:
    """Return SQL that reads the live files of the open table `name`; columns in schema order.

    A column that the table lacks, because an earlier version created the store, is null.

    `shown_root` replaces the store's own `root`, for views that another machine will open. A view can be created only
    where its files exist, so the path is a variable with `shown_root` as its default; `write_views` sets it to the
    current location.
    """
    own = _fields(table)
    fields = _all_fields(name, own)
    files = [str(file) for file in live_files(table)]
    if not files:
        columns = ", ".join(f'CAST(NULL AS {duckdb_type(type_)}) AS "{name}"' for name, type_ in fields)
        return f"SELECT {columns} WHERE false"
    listed = ", ".join(quote(file) for file in files)
    if root is not None and shown_root is not None:
        prefix = f"coalesce(getvariable('store_root'), {quote(str(shown_root))})"
        listed = ", ".join(f"{prefix} || {quote('/' + str(Path(file).relative_to(root)))}" for file in files)
    unknown = dict(fields).keys() - dict(own).keys()  # no file has these: a column, so that structs are read in part
    columns = ", ".join(
        f'CAST(NULL AS {duckdb_type(type_)}) AS "{name}"' if name in unknown else f'"{name}"' for name, type_ in fields
    )
    read = f"read_parquet([{listed}], hive_partitioning=true, hive_types={{'dataset': VARCHAR}}, union_by_name=true)"
    if added := [field for field in _added(fields, own) if field[0] not in unknown]:
        nulls = ", ".join(f'CAST(NULL AS {duckdb_type(type_)}) AS "{name}"' for name, type_ in added)
        read = f"(SELECT * FROM {read} UNION ALL BY NAME SELECT {nulls} WHERE false)"
    return f"SELECT {columns} FROM {read}"


def _all_fields(name: str, own: list[tuple[str, pa.DataType]]) -> list[tuple[str, pa.DataType]]:
    """The fields of this version's schema, with the types of the table where it has them, and then the table's own."""
    types = dict(own)
    known = {field.name: types.get(field.name, field.type) for field in TABLES[name]}
    return [*known.items(), *((field, type_) for field, type_ in own if field not in known)]


def _added(fields: list[tuple[str, pa.DataType]], own: list[tuple[str, pa.DataType]]) -> list[tuple[str, pa.DataType]]:
    """The fields that some or all live files may lack: Delta puts a column that is added to a table last."""
    added, position = [], 0
    for field in fields:
        if position < len(own) and own[position][0] == field[0]:
            position += 1
        else:
            added.append(field)
    return added


def _fields(table: DeltaTable) -> list[tuple[str, pa.DataType]]:
    import pyarrow as pa

    schema = pa.schema(table.schema().to_arrow())
    return [(field.name, field.type) for field in schema]


def view_statements(
    open_table: Opener,
    *,
    annotated: bool,
    names: Collection[str] = VIEW_NAMES,
    until: str | None = None,
    root: Path | None = None,
    shown_root: Path | None = None,
    files_under: str | None = None,
) -> Iterator[str]:
    """Yield `CREATE VIEW` statements for the named tables; `samples` has the annotations applied.

    Creating a view reads the footers of its files, so only the views that are needed are created.

    Args:
        annotated: Whether the store has any annotations.
        until: Exclude runs that finished after this time.
        files_under: SQL of the store's root: `samples` gets the columns `audio_file`, `video_file` and `image_file`,
            absolute paths for people who query it.
    """

    def scan(name: str) -> str:
        return scan_sql(name, open_table(name), root=root, shown_root=shown_root)

    wanted = set(names)
    if BUDGETS in wanted:
        wanted.add("samples")
    if annotated and "samples" in wanted:
        wanted |= {"annotations", AS_PULLED}
    for name in TABLE_NAMES:
        if name in wanted and name != "samples":
            sql = scan(name)
            if name == "runs" and until is not None:
                sql = f"SELECT * FROM ({sql}) WHERE finished_at <= {quote(until)}::TIMESTAMPTZ"
            yield f"CREATE VIEW {name} AS {sql}"
    samples = AS_PULLED
    if AS_PULLED in wanted:
        yield f"CREATE VIEW {AS_PULLED} AS {scan('samples')}"
    elif "samples" in wanted:
        samples = f"({scan('samples')})"
    if "samples" in wanted:
        sql = samples_sql(samples, keys=_keys(open_table("annotations")) if annotated else ())
        if files_under is not None:
            sql = f"SELECT *, {_file_columns(files_under)} FROM ({sql})"
        yield f"CREATE VIEW samples AS {sql}"
    if BUDGETS in wanted:
        yield FORMULAS
        counted = f"SELECT id, dataset, {sample_budget_sql()} AS budget FROM samples"
        yield f"CREATE VIEW {BUDGETS} AS SELECT id, dataset, unnest(budget) FROM ({counted})"


def _keys(annotations: DeltaTable) -> list[str]:
    """The keys that annotations have."""
    with session() as connection:
        rows = connection.execute(f"SELECT DISTINCT key FROM ({scan_sql('annotations', annotations)})").fetchall()
    return sorted(str(key) for (key,) in rows)


def _file_columns(root: str) -> str:
    """Absolute paths; a linked file's path is absolute already."""
    return ", ".join(
        f"CASE WHEN starts_with({kind}.path, '/') THEN {kind}.path ELSE {root} || '/' || {kind}.path END AS {kind}_file"
        for kind in ("audio", "video", "image")
    )


def make_views(connection: duckdb.DuckDBPyConnection, statements: Iterator[str]) -> None:
    """Create views; the footer of a file is cached when it is first read."""
    connection.execute("SET parquet_metadata_cache = true")
    for statement in statements:
        connection.execute(statement)


def write_views(
    open_table: Opener, target: Path, *, annotated: bool, root: Path, shown_root: Path | None = None
) -> Path:
    """Write all views to a DuckDB file under a temporary name, then rename it to `target`."""
    scratch = target.with_name(f".{target.name}.{os.getpid()}")
    scratch.unlink(missing_ok=True)
    with session(scratch) as connection:
        connection.execute(f"SET VARIABLE store_root = {quote(str(root))}")
        shown = f"coalesce(getvariable('store_root'), {quote(str(shown_root or root))})"
        statements = view_statements(
            open_table, annotated=annotated, names=(*TABLE_NAMES, AS_PULLED), root=root, shown_root=shown_root,
            files_under=shown,
        )  # fmt: skip
        connection.begin()  # each view alone would be written to the disk
        make_views(connection, statements)
        connection.commit()
        create_export_views(connection, root, shown=shown)
    scratch.rename(target)
    return target
