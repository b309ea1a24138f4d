"""Check what the rows of a view hold: reason codes in `skip`, types and numbers that JSON can write without loss.

JSON has no NaN and no infinity, and its integers end where every reader's do: a HUGEINT would be rounded to a double.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ...errors import UsageError
from ...shards.store.sql import identifier, quote
from .base import View

REASON = "[a-z0-9_]{1,64}"
RESERVED = ("written", "filtered")
"""Outcomes of the account: a skipped sample would be counted as one of them."""
_INEXACT = re.compile(r"\b(U?HUGEINT|BIGNUM|VARINT)\b")
_FLOATS = ("DOUBLE", "FLOAT")
_NATIVE = re.compile(r"(VARCHAR|BOOLEAN|U?(TINY|SMALL|BIG)INT|U?INTEGER|DOUBLE|FLOAT)(\[\])*")
_BEYOND = "nan|inf|e[+]?(309|3[1-9][0-9]|[4-9][0-9][0-9]|[0-9]{4,})"
_STRING = r'"(\\.|[^"\\])*"'
_MAYBE = rf"(?:^|[:,\[])\s*[-+]?(?:nan|inf|[0-9.]+(?:{_BEYOND}))"
"""Of a JSON text: whether such a number may be in it. It keeps the rows that have none from having strings removed."""


def check_types(view: View, types: Mapping[str, str]) -> None:
    """Raise UsageError for a `_skip` that is no text, and for a column of numbers that JSON would round.

    Args:
        types: Column name -> DuckDB type, of the view's statement, with `_skip`.
    """
    skip = types.get("_skip", "VARCHAR")
    if skip not in ("VARCHAR", '"NULL"'):
        raise UsageError(
            f"The view {view.name!r}: skip is {skip}; it holds a reason code or NULL.",
            hint="CASE WHEN ... THEN 'too_short' END AS skip",
        )
    for name, type_ in types.items():
        found = _INEXACT.search(re.sub(r'"(""|[^"])*"', "", type_))
        if found and not name.startswith("_"):
            raise UsageError(
                f"The view {view.name!r}: {name!r} is {type_}; readers of JSON would round a {found[0]}.",
                hint="cast it to BIGINT, or to VARCHAR to write its digits as a text (list_sum gives HUGEINT)",
            )


def check_skip(view: View, skip: str, identity: object) -> None:
    """Raise UsageError if a sample's `skip` is not a reason code."""
    if re.fullmatch(REASON, skip) is None or skip in RESERVED:
        problem = "is reserved" if skip in RESERVED else "is not a reason code"
        raise UsageError(
            f"The view {view.name!r}: skip of {identity} is {skip!r}, which {problem}.",
            hint="a code has 1 to 64 of a-z, 0-9 and _, such as 'no_answer'; NULL keeps the sample",
        )


def invalid_skip_sql() -> str:
    """SQL for a `_skip` that `check_skip` refuses, or NULL."""
    reserved = ", ".join(f"'{code}'" for code in RESERVED)
    return f"CASE WHEN NOT regexp_full_match(_skip, '{REASON}') OR _skip IN ({reserved}) THEN _skip END"


def not_finite_sql(types: Mapping[str, str]) -> str | None:
    """SQL for `not_finite` if a row holds NaN or an infinity anywhere; None if no column can."""
    import duckdb

    tests = []
    for name, type_ in types.items():
        if any(word in type_ for word in (*_FLOATS, "JSON")):
            test = _not_finite(identifier(name), duckdb.sqltype(type_), 0)
            tests += [test] if test else []
    return f"CASE WHEN {' OR '.join(tests)} THEN 'not_finite' END" if tests else None


def _not_finite(value: str, type_: Any, depth: int) -> str | None:
    """SQL that is true if a value of this type (of DuckDB) contains NaN or an infinity."""
    if str(type_) in _FLOATS:
        return f"coalesce(NOT isfinite({value}), false)"
    if str(type_) == "JSON":
        text = f"regexp_replace({value}::VARCHAR, '{_STRING}', '', 'g')"
        maybe = f"coalesce(regexp_matches({value}::VARCHAR, '(?i){_MAYBE}'), false)"
        return f"CASE WHEN {maybe} THEN regexp_matches({text}, '(?i){_BEYOND}') ELSE false END"
    if type_.id in ("list", "array"):
        item = f"x{depth}"
        test = _not_finite(item, type_.children[0][1], depth + 1)
        return f"coalesce(len(list_filter({value}, lambda {item}: {test})) > 0, false)" if test else None
    if type_.id == "map":
        (_, key), (_, held) = type_.children
        parts = [_not_finite(f"x{depth}", kind, depth + 1) for kind in (key, held)]
        lists = zip((f"map_keys({value})", f"map_values({value})"), parts, strict=True)
        tests = [
            f"coalesce(len(list_filter({each}, lambda x{depth}: {test})) > 0, false)" for each, test in lists if test
        ]
        return f"({' OR '.join(tests)})" if tests else None
    if type_.id in ("struct", "union"):
        of = "struct_extract" if type_.id == "struct" else "union_extract"
        fields = type_.children if type_.id == "struct" else type_.children[1:]  # the first of a union is its tag
        parts = [_not_finite(f"{of}({value}, {quote(str(name))})", kind, depth) for name, kind in fields]
        tests = [test for test in parts if test]
        return f"({' OR '.join(tests)})" if tests else None
    return None


def without_null_members(value: Any) -> Any:
    """A struct, or a list of them, without the members that are null."""
    if isinstance(value, list):
        return [without_null_members(item) for item in value]
    return {key: held for key, held in value.items() if held is not None} if isinstance(value, dict) else value


def is_native(type_: str) -> bool:
    """Whether Python's JSON writes a value of this type as DuckDB's does: texts, integers, doubles, lists of them."""
    return _NATIVE.fullmatch(type_) is not None


def exact_float(digits: str) -> Any:
    """A number of JSON as a float, or as a Decimal if a float cannot hold its digits."""
    from decimal import Decimal

    value = float(digits)
    return value if Decimal(repr(value)) == Decimal(digits) else Decimal(digits)
