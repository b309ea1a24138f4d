"""Check a view's SELECT and add the columns of the account to it.

A view is one SELECT of named columns from `prepared` with one row per sample: no other table, no subquery, no clause
that filters, groups, orders or multiplies rows, no function that is not deterministic. The column `skip` marks samples
without a row: a reason code, or null. The text is never edited: columns are added to its parsed form.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from ...errors import UsageError
from ...shards.exports.media_places import MEDIA_COLUMNS
from .base import View, ViewOptions
from .prepare import create_macros, create_prompts, with_prepared
from .sql.syntax import expressions, name_of, parsed, parser, select_of, written

if TYPE_CHECKING:
    import duckdb

SKIP = "skip"
_PAGE = "docs/how-to/bring-a-view.md has a complete example"
_CLAUSES = {
    "where_clause": "WHERE: mark samples without a row with a column: CASE WHEN ... THEN 'reason' END AS skip",
    "group_expressions": "GROUP BY: a sample has one row",
    "having": "HAVING: a sample has one row",
    "qualify": "QUALIFY: a sample has one row",
    "sample": "USING SAMPLE: select samples with --where",
    "modifiers": "DISTINCT, ORDER BY or LIMIT: the export orders the rows, with --order hash or id",
}
_MULTIPLIES = ("unnest", "unlist", "generate_subscripts")
_KEYWORDS = frozenset({
    "current_catalog", "current_date", "current_role", "current_schema", "current_time", "current_timestamp",
    "current_user", "localtime", "localtimestamp", "session_user", "user",
})  # fmt: skip
"""Functions that SQL calls without parentheses: they parse like columns."""
_PER_CALL = frozenset({
    *_KEYWORDS, "ago", "current_localtime", "current_localtimestamp", "inet_client_addr", "inet_client_port",
    "inet_server_addr", "inet_server_port", "pg_conf_load_time", "pg_my_temp_schema", "pg_postmaster_start_time",
    "version",
})  # fmt: skip
"""Functions of the time, the user or the version that DuckDB lists as deterministic, or as macros of no stability."""


def row_statement(view: View, task: str | None, account: Mapping[str, str]) -> str:
    """The view's SELECT without the columns of other tasks, with `skip` renamed to `_skip`, and additional columns.

    Args:
        account: Name -> expression over `prepared`, of the columns to add.

    Raises:
        UsageError: The view is invalid; the message says what is wrong, and where.
    """
    with sql_errors(view):
        return _row_statement(checked(view), frozenset(_excluded(view, task)), tuple(account.items()))


@lru_cache(maxsize=64)
def _row_statement(tree: str, excluded: frozenset[str], account: tuple[tuple[str, str], ...]) -> str:
    node = json.loads(tree)["statements"][0]["node"]
    items = [item for item in node["select_list"] if name_of(item).lower() not in excluded]
    for item in items:
        if name_of(item).lower() == SKIP:
            item["alias"] = f"_{SKIP}"
    added = dict(account)
    if all(name_of(item) != f"_{SKIP}" for item in items):
        added[f"_{SKIP}"] = "NULL::VARCHAR"
    more = select_of("SELECT " + ", ".join(f"{expression} AS {name}" for name, expression in added.items()))
    node["select_list"] = [*items, *more["select_list"]]
    return written([node])[0]


def columns_of(view: View, task: str | None) -> list[str]:
    """The columns of the view's rows."""
    items = json.loads(checked(view))["statements"][0]["node"]["select_list"]
    excluded = {SKIP, *_excluded(view, task)}
    return [name for item in items if (name := name_of(item)).lower() not in excluded]


def _excluded(view: View, task: str | None) -> set[str]:
    """The columns of other tasks, in lower case: names in SQL ignore case."""
    return {column.lower() for column in view.excluded_columns(task)}


def reads(view: View, task: str | None = None) -> set[str]:
    """The columns of `prepared` that a view reads for the columns of a task; `skip` is not one of them."""
    excluded = {SKIP, *_excluded(view, task)}
    listed = json.loads(checked(view))["statements"][0]["node"]["select_list"]
    items = [item for item in listed if name_of(item).lower() not in excluded]
    return {str(node["column_names"][-1]).lower() for node in expressions(items) if node["class"] == "COLUMN_REF"}


def check_conversations(view: View, options: ViewOptions) -> None:
    """Raise UsageError for the options of conversations if the view reads none."""
    read = reads(view, options.task)
    if (options.system or options.user_template or options.mode) and not read & {"turns", "prompt"}:
        given = "--system and --user-template are" if options.system or options.user_template else "--mode is"
        raise UsageError(
            f"{given} for conversations; the view {view.name!r} has none.",
            hint="choose a view of conversations: msswift --task sft",
        )
    asked = options.prompts != "one" or options.prompt_language or options.prompts_per_sample > 1
    if asked and not read & {"turns", "prompt"}:
        raise UsageError(
            f"--prompts, --prompt-language and --prompts-per-sample are for prompts; the view {view.name!r} has none.",
            hint="choose a view that asks: msswift --task sft",
        )
    if (options.system or options.user_template or options.mode or asked) and options.task == "pretrain":
        given = (
            "--prompts, --prompt-language and --prompts-per-sample" if asked else "--system, --user-template and --mode"
        )
        raise UsageError(
            f"{given} are for conversations; rows for pre-training are one text.", hint="choose --task sft"
        )
    if asked and options.mode == "voice-chat":
        raise UsageError(
            "--mode voice-chat: user turns have no text, so that there is nothing to ask in other words.",
            hint="remove --prompts, --prompt-language and --prompts-per-sample",
        )
    if options.captions == "all" and not read & {"turns", "solution", "description", "captions"}:
        raise UsageError(
            f"--captions all is for descriptions; the view {view.name!r} has none, so that all rows of a sample would "
            "be the same.",
            hint="remove --captions, or choose a view with descriptions: unified",
        )


def reasoning_for(view: View, task: str | None, asked: str | None) -> str:
    """Where the reasoning of answers goes if `asked` does not say so: in front of them, but never into a solution.

    Raises:
        UsageError: A row of that task has no such place.
    """
    if asked is not None and not reads(view, task) & {"turns", "solution", "thought"}:
        raise UsageError(f"--reasoning is for answers; the view {view.name!r} has none.", hint="remove --reasoning")
    if view.built_in and view.name == "cot" and asked not in (None, "think"):
        raise UsageError(
            f"--reasoning {asked}: rows of the view 'cot' are there for their reasoning.",
            hint="remove --reasoning, or use another view",
        )
    if task == "grpo":
        if asked == "think":
            raise UsageError(
                "--reasoning think: rewards compare answers with the solution of a GRPO row, which holds no reasoning.",
                hint="--reasoning column (the default) or drop",
            )
        return asked or "column"
    return asked or "think"


def checked(view: View) -> str:
    """Check a view and return its parsed form as JSON."""
    return _checked(view.sql, view.name)


@lru_cache(maxsize=8)
def _checked(sql: str, name: str) -> str:
    tree = _parse(sql, name)
    statements = tree["statements"]
    if len(statements) != 1:
        raise UsageError(f"The view {name!r} has {len(statements)} statements: it must be one SELECT.", hint=_PAGE)
    node = statements[0]["node"]
    if node["type"] != "SELECT_NODE":
        raise UsageError(f"The view {name!r} must be one SELECT ... FROM prepared, not a set operation.", hint=_PAGE)
    if node["cte_map"]["map"]:
        raise UsageError(f"The view {name!r} has WITH: it must be one SELECT ... FROM prepared.", hint=_PAGE)
    _check_source(node["from_table"], name, sql)
    for clause, problem in _CLAUSES.items():
        if node.get(clause):
            raise UsageError(f"The view {name!r} must not have {problem}.", hint=_PAGE)
    _check_expressions(node["select_list"], name, sql)
    _check_columns(node["select_list"], name, sql, _source_names(node["from_table"]))
    return json.dumps(tree)


def _check_source(source: Mapping[str, Any], name: str, sql: str) -> None:
    where = _line(sql, source.get("query_location"))
    if source["type"] == "TABLE_FUNCTION":
        function = source.get("function", {}).get("function_name", "a table function")
        raise UsageError(
            f"The view {name!r}{where} calls the table function {function}: a view may read only `prepared`.",
            hint=_PAGE,
        )
    if source["type"] != "BASE_TABLE" or source.get("sample"):
        sources = {"JOIN": "a join", "SUBQUERY": "a subquery", "EMPTY": "no table"}
        what = sources.get(source["type"], "more than a table")
        raise UsageError(f"The view {name!r}{where} reads {what}: it must be one SELECT ... FROM prepared.", hint=_PAGE)
    if source["table_name"].lower() != "prepared" or source.get("schema_name") or source.get("catalog_name"):
        raise UsageError(
            f"The view {name!r}{where} reads {source['table_name']!r}: a view may read only `prepared`.", hint=_PAGE
        )
    if source.get("column_name_alias"):
        raise UsageError(
            f"The view {name!r}{where} renames the columns of `prepared`: "
            f"{source['alias']}({', '.join(source['column_name_alias'])}).",
            hint=f"write FROM prepared AS {source['alias']}, and rename columns in the SELECT: id, text AS transcript",
        )


def _source_names(source: Mapping[str, Any]) -> set[str]:
    """The names that may stand before a column's: `prepared.id`, `p.id`."""
    return {str(source.get("alias") or "prepared").lower()}


def _check_expressions(items: list[dict[str, Any]], name: str, sql: str) -> None:
    kinds = _function_kinds()
    for expression in expressions(items):
        where = _line(sql, expression.get("query_location"))
        kind, function = expression["class"], str(expression.get("function_name", "")).lower()
        if kind == "SUBQUERY":
            raise UsageError(f"The view {name!r}{where} has a subquery: a view may read only `prepared`.", hint=_PAGE)
        if kind == "STAR":
            raise UsageError(
                f"The view {name!r}{where} has * or COLUMNS: list every column by name, so that rows do not change.",
                hint=_PAGE,
            )
        if kind == "PARAMETER":
            raise UsageError(f"The view {name!r}{where} has a parameter, which is not supported.", hint=_PAGE)
        if kind == "WINDOW" or kinds.get(function) == "aggregate" or function in _MULTIPLIES:
            what = function or "a window"
            raise UsageError(f"The view {name!r}{where} calls {what}: a row may use only one sample.", hint=_PAGE)
        called = _per_call(expression, function)
        if called or kinds.get(function) == "not deterministic":
            raise UsageError(
                f"The view {name!r}{where} calls {called or function}, which is not deterministic: the same samples "
                "would give different rows.",
                hint="for a reproducible number, use hash(id); for a fixed time, write it out: DATE '2026-01-31'",
            )
        for column in expression.get("column_names", ())[-1:]:
            if str(column).startswith("_"):
                raise UsageError(f"The view {name!r}{where} reads {column!r}: names that start with _ are reserved.")


def _per_call(expression: Mapping[str, Any], function: str) -> str:
    """The function of the time, the user or the version that an expression calls, if any."""
    if function == "age" and len(expression.get("arguments", ())) == 1:
        return "age with one argument"
    if function in _PER_CALL:
        return function
    names = expression.get("column_names", ())
    return str(names[0]).lower() if len(names) == 1 and str(names[0]).lower() in _KEYWORDS else ""


def _check_columns(items: list[dict[str, Any]], name: str, sql: str, sources: Collection[str]) -> None:
    seen: set[str] = set()
    for item in items:
        column, where = name_of(item), _line(sql, item.get("query_location"))
        if not column:
            raise UsageError(f"The view {name!r}{where} has a column without a name: write ... AS name.", hint=_PAGE)
        if column.startswith("_"):
            raise UsageError(f"The view {name!r}{where}: {column!r} starts with _; such names are reserved.")
        if column.lower() in seen:
            raise UsageError(f"The view {name!r}{where} has the column {column!r} twice.")
        seen.add(column.lower())
        if column.lower() in MEDIA_COLUMNS and column not in MEDIA_COLUMNS:
            raise UsageError(
                f"The view {name!r}{where}: {column!r} is a media column in any case, and consumers know it in lower "
                "case only.",
                hint=f"write AS {column.lower()}",
            )
    own = next((item for item in items if name_of(item) == "id"), None)
    named = [str(part).lower() for part in own.get("column_names", ())] if own is not None else []
    if named != ["id"] and not (len(named) == 2 and named[0] in sources and named[1] == "id"):
        raise UsageError(
            f"The view {name!r} must have the sample's id as a column: rows are ordered, compared and explained by it.",
            hint="SELECT id, ... FROM prepared",
        )


@lru_cache(maxsize=1)
def _function_kinds() -> dict[str, str]:
    """Functions that views must not call, and why: name -> kind."""
    with parser() as connection:
        rows = connection.execute("""
            SELECT function_name, CASE WHEN bool_and(function_type = 'aggregate') THEN 'aggregate'
                                       ELSE 'not deterministic' END
            FROM duckdb_functions()
            WHERE internal AND function_type IN ('scalar', 'macro', 'aggregate')
            GROUP BY ALL
            HAVING bool_and(function_type = 'aggregate')
                   OR bool_or(function_type <> 'aggregate' AND stability <> 'CONSISTENT')""").fetchall()
    return {str(function).lower(): str(kind) for function, kind in rows}


def _parse(sql: str, name: str = "") -> dict[str, Any]:
    tree: dict[str, Any] = json.loads(parsed(sql))
    if tree.get("error"):
        where = _line(sql, tree.get("position"))
        raise UsageError(
            f"The view {name!r}{where} is not one SELECT: {tree.get('error_message', 'it does not parse')}", hint=_PAGE
        )
    return tree


def _line(sql: str, position: Any) -> str:
    """`, line 3`, for a byte offset in the text as reported by DuckDB."""
    try:
        offset = int(position)
    except (TypeError, ValueError):
        return ""
    lines = sql.encode()[:offset].count(b"\n") + 1
    return f", line {lines}" if 0 <= offset < 2**31 else ""


@contextmanager
def sql_errors(view: View) -> Iterator[None]:
    """Raise DuckDB's errors in the SQL of a user's view as UsageError, but not those of the disk or of Ctrl-C."""
    import duckdb

    try:
        yield
    except (duckdb.IOException, duckdb.InterruptException):
        raise
    except duckdb.Error as error:
        if view.built_in:
            raise
        if isinstance(error, duckdb.OutOfMemoryException):
            hint = "a row may use only a little memory: shorten its texts and lists"
        else:
            hint = (
                "try_cast(x AS ...) gives NULL where a value cannot be converted, try(...) where any expression fails"
            )
        raise UsageError(f"The view {view.name!r} fails: {str(error).strip().splitlines()[0]}", hint=hint) from error


def describe(
    connection: duckdb.DuckDBPyConnection,
    view: View,
    statement: str,
    options: ViewOptions,
    *,
    samples: str | None = None,
) -> dict[str, str]:
    """The columns of a view's statement and their types.

    Args:
        samples: The SELECT of `samples_with_paths`; default: it exists.

    Raises:
        UsageError: The view's SQL does not bind.
    """
    import duckdb

    try:
        with sql_errors(view):
            query = with_prepared(statement, options, decide=view.built_in, samples=samples)
            described = connection.execute(f"DESCRIBE {query}").fetchall()
    except UsageError as error:
        if not isinstance(error.__cause__, duckdb.BinderException):
            raise
        create_macros(connection, options)
        create_prompts(connection)
        everything = with_prepared("SELECT * FROM prepared", options, samples=samples)
        prepared = connection.execute(f"DESCRIBE {everything}").fetchall()
        columns = [str(name) for name, *_ in prepared if not str(name).startswith("_")]
        raise _explain_binding(error.__cause__, view, columns) from error
    return {str(name): str(type_) for name, type_, *_ in described}


def _explain_binding(error: BaseException, view: View, columns: Collection[str]) -> UsageError:
    """A DuckDB error on a view that parses but does not bind, with the line and the available columns."""
    message = str(error).strip().split("\n\n")[0]
    message = message.split("\n")[0].removeprefix("Binder Error: ")
    found = re.search(r'"([^"]+)" not found', message)
    where = next(
        (f", line {n}" for n, line in enumerate(view.sql.splitlines(), 1)
         if found and not line.lstrip().startswith("--") and re.search(rf"\b{re.escape(found[1])}\b", line)),
        "",
    )  # fmt: skip
    if found:
        message = f"`prepared` has no column {found[1]!r}"
    return UsageError(f"The view {view.name!r}{where}: {message}.", hint=f"columns: {', '.join(columns)}")
