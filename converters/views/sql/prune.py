"""Leave out of the layers of a query what nothing above them reads.

A layer is a SELECT that passes all columns of the one before it on, with `*`, and adds some. DuckDB finds those that
nobody reads by itself, but only after it has bound them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .syntax import Tree, column_names, name_of


def prune(query: Tree, read: set[str], fold: Callable[[Any], Any]) -> None:
    """Remove the columns of a query and of its layers (its WITH, in order) that are not read, in place, and the tables
    that are joined for them; a joined table has at most one row for each row of the others.

    Args:
        read: The columns of the query that are read, in lower case. Any name that stands somewhere above a layer counts
            as read, whatever it names there.
        fold: Applied to what stays, before it is asked what it reads.
    """
    layers = [entry["value"]["query_node"] for entry in query["cte_map"]["map"]]
    dropped: set[str] = set()
    for layer in (query, *reversed(layers)):
        dropped |= _prune_columns(layer, read, fold)
        layer["from_table"] = _prune_joins(layer["from_table"], read, fold)
    for layer in (*layers, query):
        for item in layer["select_list"]:
            if item["class"] == "STAR":
                item["exclude_list"] = [name for name in item["exclude_list"] if str(name).lower() not in dropped]


def _prune_columns(layer: Tree, read: set[str], fold: Callable[[Any], Any]) -> set[str]:
    """Prune one layer and add what it reads to `read`; returns the names of the columns that are gone."""
    for star in (item for item in layer["select_list"] if item["class"] == "STAR"):
        star["replace_list"] = fold(star["replace_list"])
        read |= column_names(star["replace_list"])
    kept: dict[int, Tree] = {}
    left = {n: item for n, item in enumerate(layer["select_list"]) if item["class"] != "STAR"}
    while found := [n for n, item in left.items() if name_of(item).lower() in read]:
        for number in found:
            kept[number] = fold(left.pop(number))
            read |= column_names(kept[number])  # columns of the same layer too: one may read another
    layer["select_list"] = [
        kept.get(n, item) for n, item in enumerate(layer["select_list"]) if n in kept or item["class"] == "STAR"
    ]
    return {name_of(item).lower() for item in left.values()}


def _prune_joins(source: Tree, read: set[str], fold: Callable[[Any], Any]) -> Tree:
    """What a layer selects from, without the tables of LEFT JOINs of which nothing is read."""
    if source["type"] != "JOIN":
        folded: Tree = fold(source)
        read |= column_names(folded)
        return folded
    joined = source["right"]
    is_read = str(joined["alias"] or joined["table_name"]).lower() in read
    if source["join_type"] == "LEFT" and joined["type"] == "BASE_TABLE" and not is_read:
        return _prune_joins(source["left"], read, fold)
    condition = fold(source["condition"])
    read |= column_names(condition)
    return {**source, "condition": condition, "left": _prune_joins(source["left"], read, fold)}
