"""Leave out of the layers of a query what nothing above them reads, and what is a constant in them.

A layer is a SELECT that passes all columns of the one before it on, with `*`, and adds some. DuckDB finds those that
nobody reads by itself, but only after it has bound them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from .fold import value_of
from .syntax import Tree, column_names, name_of

Fold = Callable[[Any, Mapping[str, Tree]], Any]
"""Folds a tree in which these columns are constants."""


def put_constants(query: Tree, constants: Mapping[str, Tree], fold: Fold) -> dict[str, Tree]:
    """Put constants for the columns of the layers of a query (its WITH, in order) that are null, true or false in every
    row, in place; returns those of the query itself.

    Args:
        constants: The columns of what the first layer selects from that are constants.
    """
    known = dict(constants)
    for layer in (*(entry["value"]["query_node"] for entry in query["cte_map"]["map"]), query):
        known = _put_constants(layer, known, fold)
    return known


def _put_constants(layer: Tree, known: Mapping[str, Tree], fold: Fold) -> dict[str, Tree]:
    """Put constants for the columns of one layer; returns those of the layer above it."""
    layer["from_table"] = fold(layer["from_table"], known)
    replaced: dict[str, Tree] = {}
    added: dict[str, Tree] = {}
    for number, item in enumerate(layer["select_list"]):
        if item["class"] == "STAR":
            items = [each for each in fold(item["replace_list"], known) if name_of(each["value"]) != each["key"]]
            item["replace_list"] = items
            replaced |= {str(each["key"]).lower(): each["value"] for each in items}
            continue
        # A column of a layer may read an earlier one; where one is replaced, the others read what it was.
        folded = layer["select_list"][number] = fold(item, {**added, **known})
        if _is_constant(folded):
            added[name_of(folded).lower()] = {**folded, "alias": ""}
    made = {name_of(item).lower() for item in layer["select_list"]} | replaced.keys()
    kept = {name: each for name, each in known.items() if name not in made}
    return kept | {name: each for name, each in replaced.items() if _is_constant(each)} | added


def _is_constant(item: Tree) -> bool:
    value = value_of(item)
    return value is None or isinstance(value, bool)


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
    _drop_idle(query)


def _drop_idle(query: Tree) -> None:
    """Drop the layers that are no more than the relation before them."""
    entries = query["cte_map"]["map"]
    instead: dict[str, Tree] = {}
    for entry in list(entries):
        layer = entry["value"]["query_node"]
        _read_instead(layer["from_table"], instead)
        (first, *others), source = layer["select_list"], layer["from_table"]
        idle = first["class"] == "STAR" and not (others or first["replace_list"] or first["exclude_list"])
        if idle and source["type"] == "BASE_TABLE":
            instead[entry["key"]] = source
            entries.remove(entry)
    _read_instead(query["from_table"], instead)


def _read_instead(source: Tree, instead: Mapping[str, Tree]) -> None:
    if source["type"] == "JOIN":
        _read_instead(source["left"], instead)
    elif (other := instead.get(source.get("table_name", ""))) is not None:
        source |= {**other, "alias": source["alias"]}


def _prune_columns(layer: Tree, read: set[str], fold: Callable[[Any], Any]) -> set[str]:
    """Prune one layer and add what it reads to `read`; returns the names of the columns that are gone."""
    for star in (item for item in layer["select_list"] if item["class"] == "STAR"):
        star["replace_list"] = fold([each for each in star["replace_list"] if str(each["key"]).lower() in read])
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
