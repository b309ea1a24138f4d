"""Decide what constants decide: `CASE WHEN false THEN a ELSE b END` is `b`, and `len(NULL)` is null.

DuckDB does so too, but only after it has bound every branch with all the macros in it, which takes longer than making
the rows of some thousand samples.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import Any

from ....shards.store.sql import quote
from .syntax import INNER, LEAVES, Tree, column_names, name_of

OPEN = object()
"""The value of an expression that is no constant."""
_COMPARED: Mapping[str, Callable[[Any, Any], bool]] = {
    "COMPARE_EQUAL": operator.eq,
    "COMPARE_NOTEQUAL": operator.ne,
    "COMPARE_GREATERTHAN": operator.gt,
    "COMPARE_GREATERTHANOREQUALTO": operator.ge,
    "COMPARE_LESSTHAN": operator.lt,
    "COMPARE_LESSTHANOREQUALTO": operator.le,
}
_OF_NULL = {
    "len": "BIGINT", "ascii": "INTEGER", "contains": "BOOLEAN", "regexp_matches": "BOOLEAN", "lower": "VARCHAR",
    "trim": "VARCHAR", "replace": "VARCHAR", "regexp_replace": "VARCHAR", "array_to_string": "VARCHAR",
}  # fmt: skip
"""Functions that are null if their first argument is, and the type of what they give."""
_OF_ITEMS = ("list_apply", "list_transform", "list_filter", "list_distinct")
"""Functions of each item of a list: null if the list is."""


def fold(tree: Any, called: Callable[[Tree], Tree | None], columns: Mapping[str, Tree] | None = None) -> Any:
    """A tree in which everything is decided that constants decide.

    Args:
        called: What the call of a macro is, if that is a constant or one of its arguments.
        columns: What stands for columns: a constant, or the argument of a macro; and for entries of columns that are
            maps, by the names of `entry_of`.
    """
    if isinstance(tree, list):
        return [fold(each, called, columns) for each in tree]
    if not isinstance(tree, dict):
        return tree
    if columns and tree.get("class") == "LAMBDA":  # its own names stand for no columns
        columns = {name: each for name, each in columns.items() if name not in column_names(tree["lhs"])}
    # Most values are leaves: a call for each would take most of the time.
    node = {
        key: fold(each, called, columns) if type(each) in INNER and each and key not in LEAVES else each
        for key, each in tree.items()
    }
    kind = node.get("class")
    if "select_list" in node:
        node["select_list"] = [_named(*each) for each in zip(tree["select_list"], node["select_list"], strict=True)]
    if kind == "FUNCTION":
        folded = called(node) or _function(node) or _of_each_item(node, called)
    elif kind == "COLUMN_REF":
        folded = _column(node["column_names"], columns or {})
    elif kind == "OPERATOR" and columns and (entry := _entry(node)) in columns:
        folded = columns[entry]
    else:
        folded = rule(node) if (rule := _RULES.get(str(kind))) is not None else None
    # What a part of an expression is called is said where it stands: of `CASE ... END AS prompt`, `prompt` stays.
    return node if folded is None else {**folded, "alias": node.get("alias", "")}


def _named(item: Tree, folded: Tree) -> Tree:
    """A folded item of a SELECT, called what the column was that it stands for."""
    return folded if name_of(folded) == name_of(item) else {**folded, "alias": name_of(item)}


def entry_of(column: str, key: str) -> str:
    """The name of an entry of a column that is a map: `extra['label']`."""
    return f"{column}[{quote(key)}]"


def _entry(node: Tree) -> str:
    """The name of the entry that an expression reads; empty for any other expression."""
    if node["type"] != "ARRAY_EXTRACT" or node["children"][0]["class"] != "COLUMN_REF":
        return ""
    names, key = node["children"][0]["column_names"], value_of(node["children"][1])
    return entry_of(str(names[0]).lower(), key) if len(names) == 1 and isinstance(key, str) else ""


def _column(names: list[str], columns: Mapping[str, Tree]) -> Tree | None:
    """What stands for a column, or for a member of one that is a written-out struct."""
    column = columns.get(str(names[0]).lower())
    if column is None or len(names) == 1:
        return column
    return _member(column, names[1]) if len(names) == 2 else None


def _member(struct: Tree, name: str) -> Tree | None:
    """A member of a written-out struct."""
    if not _is_written_struct(struct):
        return None
    return next((each["expression"] for each in struct["arguments"] if each["name"] == name), None)


def is_written_list(node: Tree) -> bool:
    """Whether an expression is a list of structs that are written out: `[{'role': 'user', 'content': prompt}]`."""
    items = _items(node)
    return bool(items) and all(map(_is_written_struct, items))


def _items(node: Tree) -> list[Tree]:
    """The items of a list that is written out."""
    if node["class"] != "FUNCTION" or node["function_name"] != "list_value":
        return []
    return [each["expression"] for each in node["arguments"]]


def _is_written_struct(node: Tree) -> bool:
    """Whether an expression is a struct of constants and columns: such a thing may stand in several places."""
    if node["class"] != "FUNCTION" or node["function_name"] != "struct_pack":
        return False
    return all(each["expression"]["class"] in ("CONSTANT", "COLUMN_REF") for each in node["arguments"])


def _of_each_item(node: Tree, called: Callable[[Tree], Tree | None]) -> Tree | None:
    """`[f(x) FOR x IN [a, b]]` is `[f(a), f(b)]`, if the items are structs that are written out."""
    arguments = [each["expression"] for each in node["arguments"]]
    if node["function_name"] not in ("list_apply", "list_transform") or not is_written_list(arguments[0]):
        return None
    function = arguments[1]
    if function["class"] != "LAMBDA" or len(names := function["lhs"].get("column_names", ())) != 1:
        return None
    name = str(names[0]).lower()
    made = [fold(function["expr"], called, {name: item}) for item in _items(arguments[0])]
    if name in column_names(made):
        return None
    return {**arguments[0], "arguments": [{"name": "", "expression": {**each, "alias": ""}} for each in made]}


def value_of(node: Mapping[str, Any]) -> Any:
    """The value of a constant: a text, a whole number, a boolean or None; `OPEN` for any other expression."""
    if node["class"] == "CONSTANT":
        match node["literal"]["kind"]:
            case "NULL_LITERAL":
                return None
            case "BOOLEAN":
                return node["literal"]["text"] == "true"
            case "INTEGER":
                return int(node["literal"]["text"])
            case "STRING":
                return str(node["literal"]["text"])
        return OPEN
    if node["class"] != "CAST":
        return OPEN
    if (value := value_of(node["child"])) is None:
        return None
    return value if type(value) is int and node["type_expr"].get("type_name") == "BIGINT" else OPEN


_NULL: Tree = {"class": "CONSTANT", "type": "VALUE_CONSTANT", "literal": {"kind": "NULL_LITERAL"}}


def _boolean(value: bool) -> Tree:
    return {**_NULL, "literal": {"kind": "BOOLEAN", "text": "true" if value else "false"}}


def _null(type_: str) -> Tree:
    named = {"class": "TYPE", "type": "TYPE", "type_name": type_, "qualified_name": {"path": [type_]}}
    return {"class": "CAST", "type": "OPERATOR_CAST", "child": _NULL, "type_expr": named, "try_cast": False}


def _function(node: Tree) -> Tree | None:
    name, arguments = str(node["function_name"]).lower(), [each["expression"] for each in node["arguments"]]
    if not arguments:
        return None
    if name == "+" and len(arguments) == 2:
        return next((arguments[1 - n] for n, each in enumerate(arguments) if _is_zero(each)), None)
    if name in _OF_NULL:
        return _null(_OF_NULL[name]) if _is_null_list(arguments[0]) else None
    if name in ("list_filter", "list_distinct"):
        return arguments[0] if value_of(arguments[0]) is None else None
    if name == "list_concat" and len(arguments) == 2 and all(map(is_written_list, arguments)):
        return {**arguments[0], "arguments": [*arguments[0]["arguments"], *arguments[1]["arguments"]]}
    if name == "list_transform" and arguments[1].get("expr", {}).get("column_names") is not None:
        same: bool = arguments[1]["expr"]["column_names"] == arguments[1]["lhs"].get("column_names")
        return arguments[0] if same else None
    return None


def _is_zero(node: Tree) -> bool:
    return type(value := value_of(node)) is int and value == 0 and node["class"] == "CONSTANT"


def _is_null_list(node: Tree) -> bool:
    """Whether an expression is null, or a list made of the items of one that is."""
    if node["class"] == "FUNCTION" and str(node["function_name"]).lower() in _OF_ITEMS:
        return _is_null_list(node["arguments"][0]["expression"])
    return value_of(node) is None


def _case(node: Tree) -> Tree | None:
    checks, excluded, last = [], [], node["else_expr"]
    for check in node["case_checks"]:
        if value_of(check["when_expr"]) is True:
            last = check["then_expr"]
            break
        if _is_never_true(check["when_expr"]):
            excluded.append(check["then_expr"])
        else:
            checks.append({**check, "when_expr": _condition(check["when_expr"])})
    results = [*(check["then_expr"] for check in checks), last]
    if all(value_of(each) is None for each in results):
        return _typed_null([*results, *excluded])
    if value_of(last) is None:
        checks = _without_nulls(checks)
    return {**node, "case_checks": checks, "else_expr": last} if checks else last


def _without_nulls(checks: list[Tree]) -> list[Tree]:
    """The branches of a CASE whose ELSE is null without those that give the same: the last ones, and any if each is for
    another value of one column."""
    left = list(checks)
    asked = [_asked(check["when_expr"]) for check in checks]
    if all(asked) and len(set(asked)) == len(asked) and len({each[:-1] for each in asked}) == 1:
        return [check for check in left if value_of(check["then_expr"]) is not None]
    while left and value_of(left[-1]["then_expr"]) is None:
        left.pop()
    return left


def _asked(condition: Tree) -> tuple[str, ...]:
    """The column that a condition compares with a constant text, and that; empty for any other condition."""
    if condition["type"] != "COMPARE_EQUAL" or condition["left"]["class"] != "COLUMN_REF":
        return ()
    text = value_of(condition["right"])
    return (*condition["left"]["column_names"], text) if isinstance(text, str) else ()


def _condition(node: Tree) -> Tree:
    """A condition that is true where the given one is: what is null there may be false."""
    if node["class"] != "CONJUNCTION":
        return node
    children = [_condition(each) for each in node["children"] if not _is_never_true(each)]
    return children[0] if len(children) == 1 else {**node, "children": children}


def _is_never_true(condition: Tree) -> bool:
    if condition["class"] == "CONJUNCTION":
        decides = any if condition["type"] == "CONJUNCTION_AND" else all
        return decides(_is_never_true(each) for each in condition["children"])
    value = value_of(condition)
    return value is False or value is None


def _typed_null(results: list[Tree]) -> Tree | None:
    """Null of the type of these expressions, as far as they tell it; None if they do not."""
    for each in results:
        if value_of(each) is None and each["class"] == "CAST":
            return each
        if isinstance(value_of(each), str):
            return _null("VARCHAR")
    return None


def _conjunction(node: Tree) -> Tree | None:
    decides = node["type"] == "CONJUNCTION_OR"
    values = [value_of(each) for each in node["children"]]
    if any(value is decides for value in values):
        return _boolean(decides)
    if all(value is None for value in values):
        return _null("BOOLEAN")
    left = [each for each, value in zip(node["children"], values, strict=True) if value is not (not decides)]
    if not left:
        return _boolean(not decides)
    if len(left) == len(values):
        return None
    return left[0] if len(left) == 1 else {**node, "children": left}


def _comparison(node: Tree) -> Tree | None:
    left, right = value_of(node["left"]), value_of(node["right"])
    if node["type"] in _COMPARED and (left is None or right is None):
        return _NULL
    if left is OPEN or right is OPEN:
        return None
    if node["type"] == "COMPARE_DISTINCT_FROM":
        return _boolean(left != right)
    if node["type"] == "COMPARE_NOT_DISTINCT_FROM":
        return _boolean(left == right)
    if node["type"] not in _COMPARED or type(left) is not type(right):
        return None
    return _boolean(_COMPARED[node["type"]](left, right))


def _between(node: Tree) -> Tree | None:
    return _NULL if value_of(node["input"]) is None else None


def _operator(node: Tree) -> Tree | None:
    values = [value_of(each) for each in node["children"]]
    first = values[0]
    match node["type"]:
        case "OPERATOR_IS_NULL" if first is not OPEN:
            return _boolean(first is None)
        case "OPERATOR_IS_NOT_NULL" if first is not OPEN:
            return _boolean(first is not None)
        case "OPERATOR_NOT" if first is None:
            return _NULL
        case "OPERATOR_NOT" if isinstance(first, bool):
            return _boolean(not first)
        case "OPERATOR_COALESCE":
            return _coalesce(node, values)
        case "COMPARE_IN" if isinstance(first, str) and all(isinstance(value, str) for value in values):
            return _boolean(first in values[1:])
        case "ARRAY_EXTRACT" if first is None and _holds_texts(node["children"][0]):
            return _null("VARCHAR")
        case "ARRAY_EXTRACT" if type(values[1]) is int:
            return _item(node["children"][0], values[1])
        case "STRUCT_EXTRACT" if isinstance(values[1], str):
            return _member(node["children"][0], values[1])
    return None


def _item(node: Tree, place: int) -> Tree | None:
    """The item at a place of a list that is written out; of one of any expressions only if there is no other."""
    items = _items(node)
    if len(items) == 1 == place:
        return items[0]
    return items[place - 1] if 0 < place <= len(items) and is_written_list(node) else None


def _coalesce(node: Tree, values: list[Any]) -> Tree | None:
    if all(value is None for value in values):
        return _typed_null(node["children"])
    left: list[Tree] = [each for each in node["children"] if not _is_plain_null(each)]
    if len(left) == 1 or isinstance(value_of(left[0]), str | bool):
        return left[0]
    if len(left) == 2 and value_of(left[0]) is None and type(value_of(left[1])) is int:
        return {**left[0], "child": left[1]}  # a number of the type of the null
    return {**node, "children": left} if len(left) < len(values) else None


def _is_plain_null(node: Tree) -> bool:
    """Whether an expression is a null that gives no type to what stands beside it: `[]` beside a null list of texts is
    a list of texts."""
    return value_of(node) is None and node.get("type_expr", {}).get("type_name", "VARCHAR") in ("VARCHAR", "BOOLEAN")


def _holds_texts(node: Tree) -> bool:
    """Whether a typed null is a list of texts, or a map to them."""
    held = node.get("type_expr", {}).get("children", [])
    return bool(held) and held[-1].get("type_name") == "VARCHAR"


_RULES: Mapping[str, Callable[[Tree], Tree | None]] = {
    "BETWEEN": _between,
    "CASE": _case,
    "CONJUNCTION": _conjunction,
    "COMPARISON": _comparison,
    "OPERATOR": _operator,
}
