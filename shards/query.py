"""Reading a store with DuckDB: connections with its views, `--at`, and the sandbox for user SQL.

Our own queries run in an in-memory DuckDB and never open `store.duckdb`, which any open handle would block. That file
is generated for people who use the plain duckdb client.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import DamagedError, UsageError
from .store.sql import first_line, first_row, quote
from .store.store import Store
from .store.views import AS_PULLED, make_views, scan_sql, view_statements
from .store_format import TABLE_NAMES

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa
    from deltalake import DeltaTable


def scan(store: Store, table: str, *, version: int | None = None, delta: DeltaTable | None = None) -> str:
    """SQL that reads a table, as of `version` or now, or as `delta` holds it; columns in the order of the schema."""
    return scan_sql(store.table(table, version=version) if delta is None else delta)


def _named(sql: str) -> frozenset[str]:
    """The tables and views whose names stand anywhere in a query, or all of them where none does.

    Opening a table and reading its files' footers takes longer than many a query.
    """
    text = sql.lower()
    names = {name for name in (*TABLE_NAMES, AS_PULLED) if name in text}
    if AS_PULLED in names and "samples" not in text.replace(AS_PULLED, ""):
        names.discard("samples")
    return frozenset(names or (*TABLE_NAMES, AS_PULLED))


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
        _make_views(connection, store, at=at, named_in=named_in)
        if sandbox:
            close_sandbox(connection, store.root)
        yield connection


def _make_views(
    connection: duckdb.DuckDBPyConnection, store: Store, *, at: str | None = None, named_in: str | None = None
) -> None:
    versions = versions_at(store, at) if at else {}
    annotated = store.has_rows("annotations", version=versions.get("annotations"))
    names = _named(named_in or "")
    until = str(versions["_time"]) if at else None
    statements = view_statements(
        lambda name: store.table(name, version=versions.get(name)), annotated=annotated, names=names, until=until
    )
    make_views(connection, statements)


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

    with duckdb.connect(":memory:") as connection:
        check_one_select(connection, sql)
        connection.execute("SET TimeZone = 'UTC'")
        _make_views(connection, store, at=at, named_in=sql)
        close_sandbox(connection, store.root)
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


def check_one_select(connection: duckdb.DuckDBPyConnection, sql: str) -> None:
    """User SQL is one SELECT; anything that writes, attaches or configures is refused before it runs."""
    import duckdb

    try:
        statements = connection.extract_statements(sql)
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
