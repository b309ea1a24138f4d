"""A view's SELECT: checked, and with the columns of the account put beside its own.

A view is one SELECT of named columns from `prepared`, a row for every sample: no other table, no subquery, no clause
that takes, groups, orders or multiplies rows, no function that is not deterministic. Which samples have no row is said
by the column `skip`: a reason code, or null. Nothing is pasted into the text: columns are added to its parsed form.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from ...errors import UsageError
from .base import View

if TYPE_CHECKING:
    import duckdb

SKIP = "skip"
_PAGE = "docs/how-to/bring-a-view.md shows a whole view"
_CLAUSES = {
    "where_clause": "WHERE: which samples have no row is said by a column: CASE WHEN ... THEN 'reason' END AS skip",
    "group_expressions": "GROUP BY: a sample has one row",
    "having": "HAVING: a sample has one row",
    "qualify": "QUALIFY: a sample has one row",
    "sample": "USING SAMPLE: choose samples with --where",
    "modifiers": "DISTINCT, ORDER BY or LIMIT: rows are ordered by the export, with --order hash or id",
}
_MULTIPLIES = ("unnest", "unlist", "generate_subscripts")


def row_statement(view: View, task: str | None, account: Mapping[str, str]) -> str:
    """The view's SELECT without the columns of other tasks, with `_skip` for `skip`, and further columns.

    Args:
        account: Name -> expression over `prepared`, of the columns to add.

    Raises:
        UsageError: The view is none; what is wrong, and where.
    """
    tree = json.loads(checked(view))
    node = tree["statements"][0]["node"]
    left_out = view.left_out(task)
    items = [item for item in node["select_list"] if _name(item) not in left_out]
    for item in items:
        if _name(item) == SKIP:
            item["alias"] = f"_{SKIP}"
    added = dict(account)
    if all(_name(item) != f"_{SKIP}" for item in items):
        added[f"_{SKIP}"] = "NULL::VARCHAR"
    further = _parse("SELECT " + ", ".join(f"{expression} AS {name}" for name, expression in added.items()))
    node["select_list"] = [*items, *further["statements"][0]["node"]["select_list"]]
    with _memory() as connection:
        (sql,) = connection.execute("SELECT json_deserialize_sql($1::JSON)", [json.dumps(tree)]).fetchall()[0]
    return str(sql)


def columns_of(view: View, task: str | None) -> list[str]:
    """The columns of the view's rows."""
    items = json.loads(checked(view))["statements"][0]["node"]["select_list"]
    return [name for item in items if (name := _name(item)) != SKIP and name not in view.left_out(task)]


def reads(view: View) -> set[str]:
    """The columns of `prepared` that a view reads."""
    items = json.loads(checked(view))["statements"][0]["node"]["select_list"]
    return {str(each["column_names"][-1]) for each in _expressions(items) if each["class"] == "COLUMN_REF"}


def checked(view: View) -> str:
    """The view's parsed form as JSON, once it is known to be a view."""
    return _checked(view.sql, view.name)


@lru_cache(maxsize=8)
def _checked(sql: str, name: str) -> str:
    tree = _parse(sql, name)
    statements = tree["statements"]
    if len(statements) != 1:
        raise UsageError(f"The view {name!r} holds {len(statements)} statements: it is one SELECT.", hint=_PAGE)
    node = statements[0]["node"]
    if node["type"] != "SELECT_NODE":
        raise UsageError(f"The view {name!r} is one SELECT ... FROM prepared, no set of several.", hint=_PAGE)
    if node["cte_map"]["map"]:
        raise UsageError(f"The view {name!r} has WITH: it is one SELECT ... FROM prepared.", hint=_PAGE)
    _check_source(node["from_table"], name, sql)
    for clause, said in _CLAUSES.items():
        if node.get(clause):
            raise UsageError(f"The view {name!r} may not have {said}.", hint=_PAGE)
    _check_expressions(node["select_list"], name, sql)
    _check_columns(node["select_list"], name, sql)
    return json.dumps(tree)


def _check_source(source: Mapping[str, Any], name: str, sql: str) -> None:
    where = _line(sql, source.get("query_location"))
    if source["type"] == "TABLE_FUNCTION":
        function = source.get("function", {}).get("function_name", "a table function")
        raise UsageError(
            f"The view {name!r}{where} calls the table function {function}: a view reads `prepared` alone.", hint=_PAGE
        )
    if source["type"] != "BASE_TABLE" or source.get("sample"):
        what = {"JOIN": "a join", "SUBQUERY": "a subquery", "EMPTY": "nothing"}.get(source["type"], "no plain table")
        raise UsageError(f"The view {name!r}{where} reads {what}: it is one SELECT ... FROM prepared.", hint=_PAGE)
    if source["table_name"] != "prepared" or source.get("schema_name") or source.get("catalog_name"):
        raise UsageError(
            f"The view {name!r}{where} reads {source['table_name']!r}: a view reads `prepared` alone.", hint=_PAGE
        )


def _check_expressions(items: list[dict[str, Any]], name: str, sql: str) -> None:
    kinds = _function_kinds()
    for expression in _expressions(items):
        where = _line(sql, expression.get("query_location"))
        kind, function = expression["class"], str(expression.get("function_name", "")).lower()
        if kind == "SUBQUERY":
            raise UsageError(f"The view {name!r}{where} has a subquery: it reads `prepared` alone.", hint=_PAGE)
        if kind == "STAR":
            raise UsageError(
                f"The view {name!r}{where} has * or COLUMNS: name every column, so that rows stay what they are.",
                hint=_PAGE,
            )
        if kind == "PARAMETER":
            raise UsageError(f"The view {name!r}{where} has a parameter: nothing fills it.", hint=_PAGE)
        if kind == "WINDOW" or kinds.get(function) == "aggregate" or function in _MULTIPLIES:
            what = function or "a window"
            raise UsageError(f"The view {name!r}{where} calls {what}: a row is made of one sample.", hint=_PAGE)
        if kinds.get(function) == "not deterministic":
            raise UsageError(
                f"The view {name!r}{where} calls {function}, which is not deterministic: the same samples would give "
                "other rows.",
                hint="for a number that stays: hash(id)",
            )
        for column in expression.get("column_names", ())[-1:]:
            if str(column).startswith("_"):
                raise UsageError(f"The view {name!r}{where} reads {column!r}: names with _ are the account's.")


def _check_columns(items: list[dict[str, Any]], name: str, sql: str) -> None:
    seen: set[str] = set()
    for item in items:
        column, where = _name(item), _line(sql, item.get("query_location"))
        if not column:
            raise UsageError(f"The view {name!r}{where} has a column without a name: write ... AS name.", hint=_PAGE)
        if column.startswith("_"):
            raise UsageError(f"The view {name!r}{where}: {column!r} begins with _, as the account's columns do.")
        if column.lower() in seen:
            raise UsageError(f"The view {name!r}{where} has the column {column!r} twice.")
        seen.add(column.lower())
    own = next((item for item in items if _name(item) == "id"), None)
    if own is None or own["class"] != "COLUMN_REF" or own["column_names"][-1] != "id":
        raise UsageError(
            f"The view {name!r} needs the sample's own id as a column: rows are ordered, compared and explained by it.",
            hint="SELECT id, ... FROM prepared",
        )


def _name(item: Mapping[str, Any]) -> str:
    return str(item.get("alias") or (item["column_names"][-1] if item["class"] == "COLUMN_REF" else ""))


def _expressions(tree: Any) -> Iterator[dict[str, Any]]:
    if isinstance(tree, dict):
        if "class" in tree:
            yield tree
        for value in tree.values():
            yield from _expressions(value)
    elif isinstance(tree, list):
        for value in tree:
            yield from _expressions(value)


@lru_cache(maxsize=1)
def _function_kinds() -> dict[str, str]:
    """Functions that no view may call, by name, and why."""
    with _memory() as connection:
        rows = connection.execute("""
            SELECT function_name, CASE WHEN bool_and(function_type = 'aggregate') THEN 'aggregate'
                                       ELSE 'not deterministic' END
            FROM duckdb_functions()
            WHERE function_type IN ('scalar', 'macro', 'aggregate')
            GROUP BY ALL
            HAVING bool_and(function_type = 'aggregate')
                   OR bool_or(function_type <> 'aggregate' AND stability <> 'CONSISTENT')""").fetchall()
    return {str(function).lower(): str(kind) for function, kind in rows}


def _parse(sql: str, name: str = "") -> dict[str, Any]:
    with _memory() as connection:
        (text,) = connection.execute("SELECT json_serialize_sql($1)", [sql]).fetchall()[0]
    tree: dict[str, Any] = json.loads(text)
    if tree.get("error"):
        where = _line(sql, tree.get("position"))
        raise UsageError(
            f"The view {name!r}{where} is not one SELECT: {tree.get('error_message', 'it does not parse')}", hint=_PAGE
        )
    return tree


def _memory() -> duckdb.DuckDBPyConnection:
    import duckdb

    return duckdb.connect(":memory:")


def _line(sql: str, position: Any) -> str:
    """`, line 3`, of a position in the text as DuckDB tells it."""
    try:
        offset = int(position)
    except (TypeError, ValueError):
        return ""
    lines = sql.encode()[:offset].count(b"\n") + 1
    return f", line {lines}" if 0 <= offset < 2**31 else ""


def explain_binding(error: Exception, view: View, columns: Collection[str]) -> UsageError:
    """What DuckDB says of a view that parses but cannot be made, with the line and the columns there are."""
    said = str(error).strip().split("\n\n")[0]
    said = said.split("\n")[0].removeprefix("Binder Error: ")
    found = re.search(r'"([^"]+)" not found', said)
    where = next(
        (f", line {n}" for n, line in enumerate(view.sql.splitlines(), 1)
         if found and not line.lstrip().startswith("--") and re.search(rf"\b{re.escape(found[1])}\b", line)),
        "",
    )  # fmt: skip
    if found:
        said = f"`prepared` has no column {found[1]!r}"
    return UsageError(f"The view {view.name!r}{where}: {said}.", hint=f"columns: {', '.join(columns)}")
