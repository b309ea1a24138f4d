"""Reading a store with DuckDB: the only reader of table files, the views, and the sandbox for user SQL.

Our own queries run in an in-memory DuckDB and never open `store.duckdb`, which any open handle would block. That file
is generated for people who use the plain duckdb client.
"""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import DamagedError, UsageError
from .annotations import samples_sql
from .store import TABLE_NAMES, Store, live_files, quote
from .tables import duckdb_type

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa


def scan(store: Store, table: str, *, version: int | None = None, root: Path | None = None) -> str:
    """SQL that reads the live files of a table, as of `version` or now; columns in the order of the schema.

    `root` stands in for the store's own path, for views that another machine will open. A view can be made only where
    its files are, so the path is a variable with `root` as its default; `write_views` sets it to where they are now.
    """
    delta = store.table(table, version=version)
    fields = _fields(delta)
    files = [str(file) for file in live_files(delta)]
    if not files:
        columns = ", ".join(f'CAST(NULL AS {duckdb_type(type_)}) AS "{name}"' for name, type_ in fields)
        return f"SELECT {columns} WHERE false"
    listed = ", ".join(quote(file) for file in files)
    if root is not None:
        place = f"coalesce(getvariable('store_root'), {quote(str(root))})"
        listed = ", ".join(f"{place} || {quote('/' + str(Path(file).relative_to(store.root)))}" for file in files)
    columns = ", ".join(f'"{name}"' for name, _ in fields)
    return (
        f"SELECT {columns} FROM read_parquet([{listed}], hive_partitioning=true, "
        f"hive_types={{'dataset': VARCHAR}}, union_by_name=true)"
    )


def _fields(delta: Any) -> list[tuple[str, pa.DataType]]:
    import pyarrow as pa

    schema = pa.schema(delta.schema().to_arrow())
    return [(field.name, field.type) for field in schema]


def view_statements(
    store: Store, *, at: str | None = None, root: Path | None = None, named_in: str | None = None
) -> list[str]:
    """`CREATE VIEW` statements for every table; `samples` has the annotations laid over it.

    With `named_in`, a query, only for the tables that it names: opening a table and reading its files' footers takes
    longer than many a query. A query that names none of them gets all.
    """
    versions = versions_at(store, at) if at else {}
    annotated = bool(store.live_files("annotations", version=versions.get("annotations")))
    wanted = _named(named_in, annotated=annotated) if named_in is not None else frozenset(TABLE_NAMES)
    statements = []
    for name in TABLE_NAMES:
        if name not in wanted:
            continue
        sql = scan(store, name, version=versions.get(name), root=root)
        if name == "runs" and at:
            sql = f"SELECT * FROM ({sql}) WHERE finished_at <= {quote(str(versions['_time']))}::TIMESTAMPTZ"
        statements.append(f"CREATE VIEW {'samples_as_pulled' if name == 'samples' else name} AS {sql}")
    if "samples" in wanted:
        statements.append(f"CREATE VIEW samples AS {samples_sql(annotated=annotated)}")
    return statements


def _named(sql: str, *, annotated: bool) -> frozenset[str]:
    """The tables whose names stand anywhere in a query; `samples` needs the annotations, where there are any."""
    text = sql.lower()
    names = {name for name in TABLE_NAMES if name in text}
    if "samples" in names and annotated:
        names.add("annotations")
    return frozenset(names or TABLE_NAMES)


@contextmanager
def connect(
    store: Store, *, at: str | None = None, sandbox: bool = False, named_in: str | None = None
) -> Iterator[duckdb.DuckDBPyConnection]:
    """An in-memory DuckDB with the views of the store, or those that the query `named_in` needs.

    `sandbox` shuts everything else out.
    """
    import duckdb

    with duckdb.connect(":memory:") as connection:
        connection.execute("SET TimeZone = 'UTC'")
        for statement in view_statements(store, at=at, named_in=named_in):
            connection.execute(statement)
        if sandbox:
            close_sandbox(connection, store.root)
        yield connection


def close_sandbox(connection: duckdb.DuckDBPyConnection, root: Path) -> None:
    """From here on the connection reads files under the store and nothing else, for good."""
    connection.execute(f"SET allowed_directories = [{quote(str(root))}]")
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")


def query(store: Store, sql: str, *, at: str | None = None) -> pa.Table:
    """The result of one SELECT over the store's views as an Arrow table.

    Raises:
        UsageError: Not one SELECT, or DuckDB refuses it.
    """
    import duckdb

    check_one_select(sql)
    with connect(store, at=at, sandbox=True, named_in=sql) as connection:
        try:
            table: pa.Table = _interruptible(connection, lambda: connection.sql(sql).to_arrow_table())
        except duckdb.Error as error:
            raise _explain(error, store) from error
    return table.rename_columns(_unique(table.column_names))


def _interruptible(connection: duckdb.DuckDBPyConnection, work: Callable[[], Any]) -> Any:
    """Work in a thread, so that Ctrl-C is heard at once: DuckDB looks for signals between its tasks only."""
    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(work)
        try:
            return future.result()
        except KeyboardInterrupt:
            connection.interrupt()
            raise


def _unique(names: list[str]) -> list[str]:
    """Column names as `CREATE TABLE` would give them: `a, a` is `a, a_1`."""
    found: list[str] = []
    for name in names:
        candidates = itertools.chain([name], (f"{name}_{number}" for number in itertools.count(1)))
        found.append(next(each for each in candidates if each not in found))
    return found


def check_one_select(sql: str) -> None:
    """User SQL is one SELECT; anything that writes, attaches or configures is refused before it runs."""
    import duckdb

    try:
        statements = duckdb.extract_statements(sql)
    except duckdb.Error as error:
        raise UsageError(f"The SQL does not parse: {first_line(error)}") from error
    if len(statements) != 1:
        raise UsageError(f"query takes one statement, got {len(statements)}.")
    if statements[0].type != duckdb.StatementType.SELECT:
        raise UsageError(
            f"query takes a SELECT, not {statements[0].type.name}.",
            hint="the plain duckdb client opens a copy for anything else: duckdb store.duckdb",
        )


def check_where(expression: str) -> str:
    """A `--where` is one boolean expression over the columns of `samples`: no table function, no subquery, and nothing
    that answers otherwise when it is asked again."""
    import json

    import duckdb

    with duckdb.connect(":memory:") as connection:
        row = first_row(connection, "SELECT json_serialize_sql($1)", [f"SELECT {expression}"])
        moody = connection.execute(
            "SELECT DISTINCT function_name FROM duckdb_functions() "
            "WHERE function_type IN ('scalar', 'macro') AND stability <> 'CONSISTENT'"
        ).fetchall()
    tree: dict[str, Any] = json.loads(row[0]) if row else {"error": True}
    if tree.get("error") or len(tree.get("statements", [])) != 1:
        raise UsageError(
            f"--where {expression!r} is not one expression: {tree.get('error_message', 'it does not parse')}",
            hint="""for example --where "language = 'zh' AND audio.duration < 30" """.strip(),
        )
    node = tree["statements"][0]["node"]
    if node.get("type") != "SELECT_NODE" or not _is_bare_expression(node):
        raise UsageError(
            f"--where {expression!r} may hold one expression only, no subquery and no table function.",
            hint="select the ids with `triptych query` and annotate them, then filter on the annotation",
        )
    for function in sorted(_functions(node["select_list"]) & {str(name) for (name,) in moody}):
        raise UsageError(
            f"--where {expression!r}: {function} answers otherwise every time, so nobody could say what was taken.",
            hint="for a part of the samples that stays: hash(id) % 10 = 0",
        )
    return expression


def _is_bare_expression(node: dict[str, Any]) -> bool:
    clauses = ("modifiers", "group_expressions", "where_clause", "having", "qualify", "sample")
    return (
        node["from_table"].get("type") == "EMPTY"
        and len(node["select_list"]) == 1
        and not node["select_list"][0].get("alias")
        and not any(node.get(clause) for clause in clauses)
        and not _contains_subquery(node["select_list"])
    )


def _contains_subquery(tree: Any) -> bool:
    if isinstance(tree, dict):
        return tree.get("class") == "SUBQUERY" or any(_contains_subquery(value) for value in tree.values())
    if isinstance(tree, list):
        return any(_contains_subquery(value) for value in tree)
    return False


def _functions(tree: Any) -> set[str]:
    """Names of the functions in an expression, in lower case."""
    if isinstance(tree, list):
        return set().union(*map(_functions, tree))
    if not isinstance(tree, dict):
        return set()
    own = {str(tree[key]).lower() for key in ("function_name",) if tree.get(key)}
    return own.union(*map(_functions, tree.values()))


def _explain(error: Exception, store: Store) -> Exception:
    text = first_line(error)
    if "No files found" in text or "Could not open" in text or "corrupt" in text.lower():
        return DamagedError(f"A table file of {store.root} cannot be read: {text}")
    hint = "tables: samples, checks, verdicts, annotations, events, runs (docs/reference/store.md lists their columns)"
    return UsageError(f"DuckDB: {text}", hint=hint)


def first_line(error: Exception) -> str:
    """What DuckDB says, without the piece of SQL under it."""
    return str(error).strip().split("\n\n")[0]


def versions_at(store: Store, at: str) -> dict[str, Any]:
    """Table versions as of a run id or a UTC time (ISO 8601), from the rows of `runs`."""
    import duckdb

    runs = scan(store, "runs")
    with duckdb.connect(":memory:") as connection:
        connection.execute("SET TimeZone = 'UTC'")
        if _is_time(at):
            where = f"finished_at <= {quote(at)}::TIMESTAMPTZ ORDER BY finished_at DESC LIMIT 1"
        else:
            where = f"run_id = {quote(at)} ORDER BY finished_at DESC LIMIT 1"
        row = first_row(connection, f"SELECT versions, finished_at::VARCHAR FROM ({runs}) WHERE {where}")
    if row is None:
        raise UsageError(
            f"--at {at!r} names no run of this store, and no time at or after its first run.",
            hint='list them: triptych query "select run_id, finished_at, command from runs order by finished_at"',
        )
    return {**row[0], "_time": row[1]}


def _is_time(text: str) -> bool:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return bool(re.match(r"\d{4}-", text))


def first_row(connection: duckdb.DuckDBPyConnection, sql: str, parameters: Any = None) -> tuple[Any, ...] | None:
    """The first row of a result, or None. The result is read to its end: an open one blocks the connection."""
    rows = connection.execute(sql, parameters).fetchall()
    return tuple(rows[0]) if rows else None


def write_views(store: Store, target: Path, *, root: Path | None = None) -> Path:
    """Write the views into a DuckDB file under a temporary name and rename it to `target`."""
    import duckdb

    scratch = target.with_name(f".{target.name}.{os.getpid()}")
    scratch.unlink(missing_ok=True)
    with duckdb.connect(str(scratch)) as connection:
        connection.execute(f"SET VARIABLE store_root = {quote(str(store.root))}")
        for statement in view_statements(store, root=root):
            connection.execute(statement)
    scratch.rename(target)
    return target
