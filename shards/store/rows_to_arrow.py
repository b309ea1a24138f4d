"""Convert rows to Arrow tables, column by column, without importing pandas.

`pyarrow.array` checks its input for pandas objects and imports pandas to do so, which costs 0.2 s in every command that
writes a row. The types that samples and events use (text, numbers, times, and structs, lists and maps of these) are
written to Arrow buffers here; a column with anything else goes to `pyarrow.array`, which converts it or raises an
error. The result is the same either way.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import chain
from typing import Any

import numpy as np
import pyarrow as pa

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_EXACT = 2**53
"""Integers up to this one convert to float without loss."""

_INTEGERS = {pa.int32(): np.int32, pa.int64(): np.int64}


class _Unusual(Exception):
    """A column has values that are left to `pyarrow.array`."""


def rows_to_table(rows: Sequence[Mapping[str, Any]], schema: pa.Schema) -> pa.Table:
    """Convert rows to a table as `pyarrow.Table.from_pylist` does: a missing value is null.

    Raises:
        ArrowException, TypeError, ValueError, OverflowError: A value does not fit its column.
    """
    columns = [values_to_array([row.get(field.name) for row in rows], field.type) for field in schema]
    return pa.Table.from_arrays(columns, schema=schema)


def texts_table(**columns: Sequence[str]) -> pa.Table:
    """A table of columns of texts."""
    return pa.table({name: values_to_array(texts, pa.string()) for name, texts in columns.items()})


def values_to_array(values: Sequence[Any], type_: pa.DataType) -> pa.Array:
    """Convert the values of one column."""
    try:
        return _array(values, type_)
    except (_Unusual, OverflowError, UnicodeEncodeError):
        return pa.array(values, type_)


def _array(values: Sequence[Any], type_: pa.DataType) -> pa.Array:
    kinds = set(map(type, values))
    has_nulls = type(None) in kinds
    kinds.discard(type(None))
    if not kinds:
        return pa.nulls(len(values), type_)
    validity = _bits([value is not None for value in values]) if has_nulls else None
    if pa.types.is_string(type_):
        return _strings(_only(kinds, {str}, values), validity, type_)
    if pa.types.is_struct(type_):
        return _structs(_only(kinds, {dict}, values), validity, type_)
    if pa.types.is_map(type_):
        return _maps(_only(kinds, {list}, values), validity, type_)
    if pa.types.is_list(type_):
        offsets, flat = _flatten(_only(kinds, {list}, values))
        return pa.Array.from_buffers(type_, len(values), [validity, offsets], children=[_array(flat, type_.value_type)])
    return pa.Array.from_buffers(type_, len(values), [validity, _numbers(values, kinds, type_)])


def _only(kinds: set[type], expected: set[type], values: Sequence[Any]) -> Sequence[Any]:
    if not kinds <= expected:
        raise _Unusual
    return values


def _numbers(values: Sequence[Any], kinds: set[type], type_: pa.DataType) -> pa.Buffer:
    """Return the buffer of a column with fixed-width values; a null is stored as zero."""
    if type_ in _INTEGERS and kinds == {int}:
        wide = np.array([value or 0 for value in values], dtype=np.int64)
        narrow = wide.astype(_INTEGERS[type_], copy=False)
        if narrow is not wide and not np.array_equal(narrow, wide):
            raise _Unusual
        return pa.py_buffer(narrow)
    if pa.types.is_float64(type_) and kinds <= {float, int}:
        if int in kinds and any(type(value) is int and abs(value) > _EXACT for value in values):
            raise _Unusual
        return pa.py_buffer(np.array([0.0 if value is None else value for value in values], dtype=np.float64))
    if pa.types.is_boolean(type_) and kinds == {bool}:
        return _bits([bool(value) for value in values])
    if type_ == pa.timestamp("us", tz="UTC") and kinds == {datetime}:
        return pa.py_buffer(np.array([_microseconds(value) for value in values], dtype=np.int64))
    raise _Unusual


def _microseconds(value: datetime | None) -> int:
    if value is None:
        return 0
    if value.tzinfo is not UTC:
        raise _Unusual
    return (value - _EPOCH) // _MICROSECOND


def _strings(values: Sequence[str | None], validity: pa.Buffer | None, type_: pa.DataType) -> pa.Array:
    encoded = [value.encode() if value else b"" for value in values]
    return pa.Array.from_buffers(type_, len(values), [validity, _offsets(encoded), pa.py_buffer(b"".join(encoded))])


def _structs(values: Sequence[Mapping[str, Any] | None], validity: pa.Buffer | None, type_: pa.DataType) -> pa.Array:
    children = [
        _array([None if value is None else value.get(field.name) for value in values], field.type) for field in type_
    ]
    return pa.Array.from_buffers(type_, len(values), [validity], children=children)


def _maps(values: Sequence[list[Any] | None], validity: pa.Buffer | None, type_: pa.DataType) -> pa.Array:
    offsets, pairs = _flatten(values)
    if not all(type(pair) is tuple and len(pair) == 2 and pair[0] is not None for pair in pairs):
        raise _Unusual
    keys = _array([key for key, _ in pairs], type_.key_type)
    items = _array([item for _, item in pairs], type_.item_type)
    entries = pa.StructArray.from_arrays([keys, items], fields=[type_.key_field, type_.item_field])
    return pa.Array.from_buffers(type_, len(values), [validity, offsets], children=[entries])


def _flatten(values: Sequence[list[Any] | None]) -> tuple[pa.Buffer, list[Any]]:
    lists = [value or () for value in values]
    return _offsets(lists), list(chain.from_iterable(lists))


def _offsets(pieces: Sequence[Any]) -> pa.Buffer:
    """Return the start of each piece and the end of the last one, as 32-bit offsets."""
    ends = np.zeros(len(pieces) + 1, dtype=np.int64)
    np.cumsum(np.fromiter(map(len, pieces), dtype=np.int64, count=len(pieces)), out=ends[1:])
    if ends[-1] > np.iinfo(np.int32).max:
        raise _Unusual
    return pa.py_buffer(ends.astype(np.int32))


def _bits(flags: Iterable[bool]) -> pa.Buffer:
    return pa.py_buffer(np.packbits(np.array(list(flags), dtype=bool), bitorder="little"))
