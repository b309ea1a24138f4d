"""SELECTs as DuckDB parses them: trees of dictionaries, which DuckDB reads and writes."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from ....shards.store.database import lasting

if TYPE_CHECKING:
    import duckdb

SETTINGS: Mapping[str, str | bool | int] = {"threads": 1, "enable_external_access": "false"}
"""Of the process's own DuckDB for views: it reads no files."""
Tree = dict[str, Any]
INNER = (dict, list)
LEAVES = ("literal", "qualified_name", "type_expr")
"""Parts of expressions in which there are no others."""


@contextmanager
def parser() -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection that parses SQL."""
    with lasting("views", SETTINGS).cursor() as connection:
        yield connection


def parsed(sql: str) -> str:
    """The parsed form of statements, as JSON; it says so if they do not parse, or are no SELECTs."""
    with parser() as connection:
        (text,) = connection.execute("SELECT json_serialize_sql($1)", [sql]).fetchall()[0]
    return str(text)


def select_of(sql: str) -> Tree:
    """The tree of one SELECT that is known to parse."""
    node: Tree = json.loads(parsed(sql))["statements"][0]["node"]
    return node


def written(nodes: Sequence[Tree]) -> list[str]:
    """The SQL of SELECTs."""
    trees = [json.dumps({"error": False, "statements": [{"node": node}]}) for node in nodes]
    with parser() as connection:
        rows = connection.execute("SELECT json_deserialize_sql(t::JSON) FROM (SELECT unnest($1) AS t)", [trees])
        return [str(sql) for (sql,) in rows.fetchall()]


def expressions(tree: Any) -> Iterator[Tree]:
    """Every expression in a tree, those within others too, in no order."""
    left = [tree]
    while left:
        each = left.pop()
        if isinstance(each, dict):
            if "class" in each:
                yield each
            left += [value for key, value in each.items() if type(value) in INNER and value and key not in LEAVES]
        elif isinstance(each, list):
            left += each


def column_names(tree: Any) -> set[str]:
    """All names in references to columns, in lower case: of the column, what stands before it, and its fields."""
    names: set[str] = set()
    for each in expressions(tree):
        if each["class"] == "COLUMN_REF":
            names.update(str(name).lower() for name in each["column_names"])
    return names


def name_of(item: Mapping[str, Any]) -> str:
    """The name of a column in a SELECT; empty if it has none."""
    return str(item.get("alias") or (item["column_names"][-1] if item["class"] == "COLUMN_REF" else ""))
