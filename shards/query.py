"""Query a store with DuckDB: connections with its views, `--at`, and the sandbox for user SQL.

The package's own queries run in an in-memory DuckDB and never open `store.duckdb`, which another process may have
locked. That file is generated for people who use the plain duckdb client.
"""

from __future__ import annotations

import itertools
import os
import re
import secrets
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import DamagedError, UsageError
from .exports.sql_views import SCHEMA, create_export_views, refuse_without_rows
from .store.database import session
from .store.sql import first_line, first_row, quote
from .store.store import Store
from .store.views import AS_PULLED, VIEW_NAMES, make_views, scan_sql, view_statements

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa
    from deltalake import DeltaTable

HINT = (
    "tables: samples, samples_as_pulled, checks, verdicts, annotations, events, runs, budgets, exports.versions and "
    'exports."NAME@vN" (docs/reference/store.md lists their columns)'
)


def scan(store: Store, table: str, *, version: int | None = None, delta: DeltaTable | None = None) -> str:
    """Return SQL that reads a table as of `version` or now, or the open table `delta`; columns in schema order."""
    return scan_sql(table, _table(store, table, version) if delta is None else delta)


def _table(store: Store, name: str, version: int | None) -> DeltaTable:
    return store.table(name) if version is None else store.open_table(name, version=version)


def rows_of(store: Store, table: str, sql: str) -> list[tuple[Any, ...]]:
    """Run SQL over one table as it is now, for which its first `{}` stands; a table without rows is not opened."""
    if not store.has_rows(table):
        return []
    with session() as connection:
        return connection.execute(sql.replace("{}", f"({scan(store, table)})", 1)).fetchall()


def _mentioned(sql: str) -> frozenset[str]:
    """Return the tables and views mentioned anywhere in a query, or all of them if none is mentioned.

    Opening a table and reading the footers of its files takes longer than many queries.
    """
    text = sql.lower()
    names = {name for name in VIEW_NAMES if name in text}
    if AS_PULLED in names and "samples" not in text.replace(AS_PULLED, ""):
        names.discard("samples")
    return frozenset(names or VIEW_NAMES)


@contextmanager
def connect(
    store: Store, *, named_in: str | None = None, memory_limit: str | None = None
) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open a database in memory with the views of the store, or only those that the query `named_in` needs.

    It is a session of the process's DuckDB; with a `memory_limit` such as `512MB` it is a DuckDB of its own.
    """
    import duckdb

    with session() if memory_limit is None else duckdb.connect(":memory:") as connection:
        if memory_limit is not None:
            connection.execute("SET TimeZone = 'UTC'")
            limit_memory(connection, store.root, limit=memory_limit)
        _make_views(connection, store, named_in=named_in)
        yield connection


def _make_views(
    connection: duckdb.DuckDBPyConnection,
    store: Store,
    *,
    at: str | None = None,
    named_in: str | None = None,
    files: bool = False,
) -> None:
    versions = versions_at(store, at) if at else {}
    names = _mentioned(named_in or "")
    until = str(versions["_time"]) if at else None
    with _purged_errors(at):
        annotated = store.has_rows("annotations", version=versions.get("annotations"))
        statements = view_statements(
            lambda name: _table(store, name, versions.get(name)), annotated=annotated, names=names, until=until,
            files_under=quote(str(store.root)) if files else None,
        )  # fmt: skip
        make_views(connection, statements)
        if files and f"{SCHEMA}." in (named_in or "").lower():
            create_export_views(connection, store.root, named_in=named_in)


@contextmanager
def _purged_errors(at: str | None) -> Iterator[None]:
    """Say of old versions that cannot be read that a purge has deleted them."""
    import duckdb

    try:
        yield
    except (DamagedError, duckdb.IOException) as error:
        if at is None:
            raise
        raise DamagedError(
            f"--at {at}: the tables of that time were purged ({first_line(error)}).",
            hint="`store remove --purge` deletes old versions; name a later run or time",
        ) from error


def close_sandbox(connection: duckdb.DuckDBPyConnection, root: Path) -> None:
    """Restrict the connection irreversibly to reading files under the store; its DuckDB must be its own.

    DuckDB always allows its folder for temporary files, by default `.tmp` in the user's working directory: it gets one
    of its own, which it creates when it needs it.
    """
    _require_own(connection)
    row = first_row(connection, "SELECT current_setting('temp_directory')")
    if row is None or not str(row[0]).startswith(f"{root}/"):
        connection.execute(f"SET temp_directory = {quote(str(_spill_folder(root)))}")
    connection.execute(f"SET allowed_directories = [{quote(str(root))}]")
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")


def limit_memory(connection: duckdb.DuckDBPyConnection, root: Path, *, limit: str) -> None:
    """Limit what a connection holds in memory, whatever the number of rows: beyond it, DuckDB writes to the store."""
    _require_own(connection)
    connection.execute(f"SET memory_limit = {quote(limit)}")
    connection.execute(f"SET temp_directory = {quote(str(_spill_folder(root)))}")


def _require_own(connection: duckdb.DuckDBPyConnection) -> None:
    """Raise ValueError for a session: the setting would hold for all others of the process, even for ever."""
    if first_row(connection, "SELECT current_database()") != ("memory",):
        raise ValueError("this setting holds for a whole DuckDB: open one with `duckdb.connect`")


def _spill_folder(root: Path) -> Path:
    """A folder that does not exist yet, which DuckDB creates: in the store, or in the system's if that is read-only."""
    place = root / "partial" / "tmp"
    with suppress(OSError):
        place.mkdir(parents=True, exist_ok=True)
    if not os.access(place, os.W_OK):
        place = Path(tempfile.gettempdir())
    return place / f"query-{os.getpid()}-{secrets.token_hex(4)}"


def query(store: Store, sql: str, *, at: str | None = None) -> pa.Table:
    """Run one SELECT over the store's views and return the result as an Arrow table.

    Raises:
        UsageError: The SQL is not a single SELECT, or DuckDB rejects it.
    """
    import duckdb

    with duckdb.connect(":memory:") as connection:
        check_one_select(connection, sql)
        connection.execute("SET TimeZone = 'UTC'")
        _make_views(connection, store, at=at, named_in=sql, files=True)
        close_sandbox(connection, store.root)
        try:
            table: pa.Table = _interruptible(connection, lambda: connection.sql(sql).to_arrow_table())
        except duckdb.Error as error:
            raise _explain(error, store, sql) from error
    return table.rename_columns(_unique(table.column_names))


def _interruptible(connection: duckdb.DuckDBPyConnection, work: Callable[[], Any]) -> Any:
    """Run `work` in a thread so that Ctrl-C takes effect at once: DuckDB checks for signals only between its tasks."""
    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(work)
        try:
            return future.result()
        except KeyboardInterrupt:
            connection.interrupt()
            raise


def _unique(names: list[str]) -> list[str]:
    """Make column names unique as `CREATE TABLE` would: `a, a` becomes `a, a_1`."""
    found: list[str] = []
    for name in names:
        candidates = itertools.chain([name], (f"{name}_{number}" for number in itertools.count(1)))
        found.append(next(each for each in candidates if each not in found))
    return found


def check_one_select(connection: duckdb.DuckDBPyConnection, sql: str) -> None:
    """Refuse user SQL that is not a single SELECT; statements that write, attach or configure never run."""
    import duckdb

    try:
        statements = connection.extract_statements(sql)
    except duckdb.Error as error:
        raise UsageError(f"Invalid SQL: {first_line(error)}") from error
    if len(statements) != 1:
        raise UsageError(f"query takes one statement, got {len(statements)}.")
    if statements[0].type != duckdb.StatementType.SELECT:
        raise UsageError(
            f"query takes a SELECT, not {statements[0].type.name}.",
            hint="for anything else, use the plain duckdb client: duckdb store.duckdb",
        )


def check_where(expression: str, *, flag: str = "--where") -> str:
    """Return an expression of a user if it is one deterministic expression over the columns of `samples`.

    Args:
        flag: The option that holds it, for messages.

    Raises:
        UsageError: It is not, or it contains a subquery or a table function.
    """
    import json

    with session() as connection:
        row = first_row(connection, "SELECT json_serialize_sql($1)", [f"SELECT {expression}"])
    tree: dict[str, Any] = json.loads(row[0]) if row else {"error": True}
    if tree.get("error") or len(tree.get("statements", [])) != 1:
        said = str(tree.get("error_message", ""))
        # The expression is put into one SELECT; of a statement after it, DuckDB only says that it cannot be serialized.
        why = "it contains another statement" if not said or "Only SELECT" in said else f"invalid SQL ({said})"
        raise UsageError(
            f"{flag} {expression!r} is not one expression: {why}.",
            hint="""for example --where "language = 'zh' AND audio.duration < 30" """.strip(),
        )
    node = tree["statements"][0]["node"]
    if node.get("type") != "SELECT_NODE" or not _is_bare_expression(node):
        raise UsageError(
            f"{flag} {expression!r} must be one expression without subqueries or table functions.",
            hint="select the ids with `triptych query` and annotate them, then filter on the annotation",
        )
    called = _functions(node["select_list"])
    for function in sorted(called & _nondeterministic() if called else ()):
        raise UsageError(
            f"{flag} {expression!r}: {function} is not deterministic, so the selection could not be reproduced.",
            hint="for a reproducible part of the samples: hash(id) % 10 = 0",
        )
    return expression


@contextmanager
def where_errors(where: str | None, *, flag: str = "--where") -> Iterator[None]:
    """Raise errors in a user's expression as UsageError."""
    import duckdb

    try:
        yield
    except (duckdb.ProgrammingError, duckdb.DataError) as error:
        if where is None:
            raise
        raise UsageError(
            f"{flag} {where!r}: {first_line(error)}",
            hint='columns: triptych query "describe samples"',
        ) from error


@lru_cache(maxsize=1)
def _nondeterministic() -> frozenset[str]:
    """The functions whose result is not a function of their arguments; listing all takes as long as a small query."""
    with session() as connection:
        rows = connection.execute(
            "SELECT DISTINCT function_name FROM duckdb_functions() "
            "WHERE function_type IN ('scalar', 'macro') AND stability <> 'CONSISTENT'"
        ).fetchall()
    return frozenset(str(name) for (name,) in rows)


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
    """Return the lower-case names of the functions in an expression."""
    if isinstance(tree, list):
        return set().union(*map(_functions, tree))
    if not isinstance(tree, dict):
        return set()
    own = {str(tree[key]).lower() for key in ("function_name",) if tree.get(key)}
    return own.union(*map(_functions, tree.values()))


def _explain(error: Exception, store: Store, sql: str) -> Exception:
    """The error of a query: of its own words, or of a file of the store that it did not name.

    Raises:
        UsageError: It asks for a version whose rows were deleted.
    """
    text = first_line(error)
    absent = "No files found" in text
    if absent and (named := re.search(r'"(.+)"', text)) is not None and named[1] in sql:
        listed = f"from glob('{store.root}/**')"
        return UsageError(f"There is no file {named[1]}, which the query names.", hint=f'triptych query "{listed}"')
    if absent or "Could not open" in text or "corrupt" in text.lower():
        return DamagedError(f"A table file of {store.root} cannot be read: {text}")
    if (unknown := re.search(r"Table with name (\S+) does not exist", text)) is not None:
        refuse_without_rows(store.root, unknown[1])
    return UsageError(f"DuckDB: {text}", hint=HINT)


def versions_at(store: Store, at: str) -> dict[str, Any]:
    """Return the table versions as of a run id or a UTC time (ISO 8601), from the rows of `runs`."""
    runs = scan(store, "runs")
    with session() as connection:
        if _is_time(at):
            where = f"finished_at <= {quote(at)}::TIMESTAMPTZ ORDER BY finished_at DESC LIMIT 1"
        else:
            where = f"run_id = {quote(at)} ORDER BY finished_at DESC LIMIT 1"
        row = first_row(connection, f"SELECT versions, finished_at::VARCHAR FROM ({runs}) WHERE {where}")
    if row is None:
        raise UsageError(
            f"--at {at!r} is neither a run of this store nor a time at or after its first run.",
            hint='list them: triptych query "select run_id, finished_at, command from runs order by finished_at"',
        )
    return {**row[0], "_time": row[1]}


def _is_time(text: str) -> bool:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return bool(re.match(r"\d{4}-", text))
